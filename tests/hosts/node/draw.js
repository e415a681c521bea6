// Draws a heart in Node: node draw.js ARCHIVE MODEL OUTPUT. Every declaration of diffuse_plain.h is told to koffi as it
// stands there, but that what is written to is marked.
const fs = require('fs');
const koffi = require('koffi');

const [archive, model, output] = process.argv.slice(2);
const library = koffi.load(`${archive}/lib/libdiffuse.so`);
const diffuse = {};
for (const statement of fs.readFileSync(`${archive}/include/diffuse_plain.h`, 'utf8').split(/;\n/).filter(Boolean)) {
  let found;
  if ((found = statement.match(/^enum \{([^}]*)\}$/))) {
    for (const line of found[1].trim().split(',')) {
      const [name, value] = line.trim().split(' = ');
      diffuse[name] = Number(value);
    }
  } else if ((found = statement.match(/^typedef struct (\w+) \1$/))) {
    koffi.opaque(found[1]);
  } else if ((found = statement.match(/^typedef struct (\w+) \{(.*)\} \1$/))) {
    const fields = found[2].trim().split(';').filter(Boolean).map((field) => field.trim().split(' '));
    koffi.struct(found[1], Object.fromEntries(fields.map(([type, name]) => [name, type])));
  } else if ((found = statement.match(/^typedef (.*) \(\*(\w+)\)\((.*)\)$/))) {
    const [, result, name, parameters] = found;
    koffi.proto(`${result} ${name}(${parameters.replaceAll('struct ', '')})`);
  } else {
    const prototype = statement.replaceAll('struct ', '').replace(/(diffuse_(log_sink|callback|release)) /g, '$1 *');
    const name = prototype.match(/(diffuse_\w+)\(/)[1];
    diffuse[name] = library.func(prototype.replace(/(diffuse_\w+ \*\*|diffuse_cost \*|int32_t \*status)/g, '_Out_ $1'));
  }
}

function check(status) {
  if (status !== diffuse.DIFFUSE_OK) throw new Error(diffuse.diffuse_error_message());
}

function made(make) {
  const place = [null];
  check(make(place));
  return place[0];
}

const request = made((place) => diffuse.diffuse_request_new(place));
check(diffuse.diffuse_request_set_class(request, diffuse.DIFFUSE_ALL_ITEMS, 'heart'));
check(diffuse.diffuse_request_set_seed(request, 7));
const job = made((place) => diffuse.diffuse_job_open(null, model, null, request, place));
diffuse.diffuse_request_free(request);
// On a thread of Node's, while this one goes on; the message of a failure is the job's then.
diffuse.diffuse_job_run.async(job, (error) => {
  if (error) throw error;
  const [status, message] = [[0], Buffer.alloc(4096)];
  check(diffuse.diffuse_job_error(job, status, message, message.length));
  if (status[0] !== diffuse.DIFFUSE_OK) throw new Error(message.toString('utf8', 0, message.indexOf(0)));
  const pixels = Buffer.alloc(32 * 32 * 4);
  check(diffuse.diffuse_job_read_pixels(job, 0, pixels, pixels.length, 32 * 4, 0));
  diffuse.diffuse_job_free(job);
  fs.writeFileSync(output, pixels);
});
