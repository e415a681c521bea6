-- Draws a heart in LÖVE, which sees it grow: love FOLDER ARCHIVE MODEL OUTPUT. It ends with the pixels in OUTPUT and what
-- the window showed in OUTPUT.png.
local ffi = require "ffi"

local archive, model, output, diffuse, job, image, data
local state, estimates, shown = ffi.new("int32_t[1]"), nil, 0

local function check(status)
  if status ~= 0 then error(ffi.string(diffuse.diffuse_error_message())) end
end

local function write(path, bytes)
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
end

function love.load(arguments)
  archive, model, output = arguments[1], arguments[2], arguments[3]
  local header = assert(io.open(archive .. "/include/diffuse_plain.h"))
  ffi.cdef(header:read("*a"))
  header:close()
  diffuse = ffi.load(archive .. "/lib/libdiffuse.so")
  estimates = ffi.new("uint64_t[1]")

  local request, opened = ffi.new("diffuse_request *[1]"), ffi.new("diffuse_job *[1]")
  check(diffuse.diffuse_request_new(request))
  check(diffuse.diffuse_request_set_class(request[0], ffi.C.DIFFUSE_ALL_ITEMS, "heart"))
  check(diffuse.diffuse_request_set_seed(request[0], 7))
  check(diffuse.diffuse_job_open(nil, model, nil, request[0], opened))
  diffuse.diffuse_request_free(request[0])
  job = opened[0]
  check(diffuse.diffuse_job_start(job))
  data = love.image.newImageData(32, 32)
  image = love.graphics.newImage(data)
  image:setFilter("nearest", "nearest")
end

function love.update()
  if not job then return end
  check(diffuse.diffuse_job_poll(job, state))
  if state[0] == ffi.C.DIFFUSE_JOB_STOPPED then
    local message = ffi.new("char[4096]")
    diffuse.diffuse_job_error(job, state, message, 4096)
    error(ffi.string(message))
  end
  check(diffuse.diffuse_job_estimates(job, estimates))
  local pixels, length = data:getFFIPointer(), data:getSize()
  if state[0] == ffi.C.DIFFUSE_JOB_FINISHED then
    check(diffuse.diffuse_job_read_pixels(job, 0, pixels, length, 4 * 32, 0))
    diffuse.diffuse_job_free(job)
    job = nil
    write(output, data:getString())
    love.graphics.captureScreenshot(function(screenshot)
      write(output .. ".png", screenshot:encode("png"):getString())
      love.event.quit(0)
    end)
  elseif tonumber(estimates[0]) > shown then
    check(diffuse.diffuse_job_preview_pixels(job, 0, pixels, length, 4 * 32, 0))
  else
    return
  end
  shown = tonumber(estimates[0])
  image:replacePixels(data)
end

function love.draw()
  love.graphics.draw(image, 0, 0, 0, 8)
end

function love.errorhandler(message)
  io.stderr:write(message, "\n")
  return function() return 1 end
end
