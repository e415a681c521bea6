/* diffuse: draws from diffusion models. This header is generated from the library's source; do not edit it.
 *
 * Most functions return a status: DIFFUSE_OK (0) or a code that says what the caller can do. diffuse_error_message()
 * then says what was wrong. A function that fails changes nothing but the outputs that it says it clears.
 *
 * Handles are made by _new and _open and freed by _free; freeing NULL is fine. A handle must not be used after it was
 * freed; that, and a handle of another type, is noticed where it can be, and is DIFFUSE_ARGUMENT. A `const` handle may
 * be used by several threads at once, any other by one at a time, but for what diffuse_job says of itself. The library
 * has no other state than ONNX Runtime and the log sink.
 *
 * Pointers must be NULL (which is DIFFUSE_ARGUMENT unless it is allowed) or valid. Strings are UTF-8, end in a zero
 * byte, and are copied where they are kept. Buffers belong to the caller and are not kept. Times t are those of the
 * model's training, 0 the cleanest; alpha and sigma are the shares of the clean sample and of the noise: x = alpha*x0 +
 * sigma*noise.
 *
 * Once loaded the library stays in the process, as ONNX Runtime does: dlclose() of it, or of a plugin that it is linked
 * into, unloads neither. Opening it again goes on with the same one.
 *
 * Where the system has no memory for a tensor a call returns DIFFUSE_MEMORY; small things end the process then, as they
 * do in most libraries.
 *
 * Bad input never crashes, and no function writes to stdout or stderr, exits, or installs a signal handler.
 *
 * At the end of the process (not on Windows, where its threads are gone by then) the library ends what is running, in
 * jobs and in calls of other threads, and waits for it, for 12 seconds at most. A process that ends by _exit() or a
 * signal needs none of that.
 *
 * After fork() the child must not use the parent's handles: freeing one does nothing there, and every other call of it
 * is DIFFUSE_ARGUMENT (NULL or 0 where a function returns no status). It may open its own, beginning with
 * diffuse_runtime_open(), which then refers to the ONNX Runtime that the parent has loaded. A fork waits, for a second
 * at most, for other threads that open ONNX Runtime or a model, or evaluate one for the first time; of a child that it
 * could not wait for diffuse_runtime_open() is DIFFUSE_RUNTIME. The log sink is the parent's alone.
 *
 * Every call works in the usual floating-point environment (to nearest, nothing flushed to zero, no exception a signal)
 * and gives the host's back; a callback is called in the host's, on a worker in that of the thread that has started
 * it.
 *
 * The options of diffuse_request_set():
 *
 * Sampling:
 *
 *     solver: ddpm, ddim, euler, euler-ancestral, heun, dpm2, lms, pndm, dpm-solver, dpm-solver-singlestep, dpm-solver-2s, deis, unipc, sa-solver, lcm, tcd, consistency, euler-ancestral-rf, gradient-estimation, reverse-sde, langevin, rk45
 *         The solver. Default: the model's.
 *
 *     steps: a whole number from 1
 *         How many steps, up to the number of training steps. Default: the model's.
 *
 *     grid: leading, trailing, linspace, simple, sgm-uniform, beta, crash, lcm, karras, exponential, beta-sigma
 *         How the steps are spread over those of training. Default: the model's.
 *         - leading: Multiples of floor(T/N) from 0 up: the first step is missed at the noisy end.
 *         - trailing: Back from the last training step in strides of T/N.
 *         - linspace: Evenly spaced times with both ends.
 *         - simple: The training steps floor(i*T/N) from the noisy end (ComfyUI's "simple").
 *         - sgm-uniform: Evenly spaced times from the noisy end, without the clean one (Stability's generative-models).
 *         - beta: Times by the quantiles of Beta(0.6, 0.6): more at both ends (Lee et al. 2024, "Beta Sampling is All You Need").
 *         - crash: Times whose noise on the circle is sin^2(pi*u/2), for even u (k-diffusion's crash schedule); for schedules in continuous time.
 *         - lcm: Every so many of the original_steps that a consistency model was distilled on (Luo et al. 2023, "Latent Consistency Models").
 *         - karras: Evenly spaced (sigma/alpha)^(1/rho) (Karras et al. 2022, eq. 5).
 *         - exponential: Evenly spaced ln(sigma/alpha), and so lambda: Lu et al. 2022's logSNR steps (k-diffusion's "exponential").
 *         - beta-sigma: sigma/alpha by the quantiles of Beta(0.6, 0.6), as diffusers has it.
 *
 *     clipping: model, off, on, keep-noise, dynamic
 *         Whether the denoised sample is kept in the data's range at every step. Default: model.
 *         - model: As the model's manifest says.
 *         - off: Never.
 *         - on: At every step, to the range in the manifest; eps is taken from the clipped x0.
 *         - keep-noise: At every step; eps is as the network predicted.
 *         - dynamic: At every step, by dynamic thresholding (Saharia et al. 2022), for a range of -1 to 1.
 *
 *     compat: papers, diffusers
 *         Whose arithmetic is followed where diffusers departs from the papers. Default: papers.
 *         - papers: The papers'.
 *         - diffusers: diffusers': tables rounded to f32, eps from the unclipped x0, and DDIM's moves by floor(T/N) training steps whatever the grid. For pictures equal to those of its pipelines.
 *
 *     noise: counter, torch, torch-per-item
 *         Where the noise comes from. Default: counter.
 *         - counter: diffuse's own: the noise of an item depends on its seed and the step alone.
 *         - torch: torch's, one generator for the batch: torch.Generator().manual_seed(seed) in a pipeline of diffusers.
 *         - torch-per-item: torch's, one generator for every item: a list of them with the seeds seed, seed + 1, ...
 *
 * Start:
 *
 *     invert: 0 or 1
 *         1 goes from an image to the noise that it would be drawn from, by ddim, for a run that starts from that noise. Default: 0.
 *
 *     strength: a number from 0 to 1
 *         The share of the steps that is run, the last ones, which start with less noise and so stay nearer to the image. Default: 1 (0.8 from an image without a mask, not inverted; 0.3 so with SDXL and compat "diffusers"; 0.9999 with a mask then).
 *
 *     strength_of: steps, original
 *         What strength is a share of. Default: steps (original for folders of latent consistency models).
 *         - steps: The first steps of the grid.
 *         - original: The noisiest of the original steps: as many steps as ever are spread over the rest, as in the pipelines of latent consistency models. For the lcm grid.
 *
 *     seeds: 1 to 10000 numbers, separated by commas
 *         The seed of each item, in place of seed, seed + 1 and so on; with noise torch-per-item the seeds of a list of generators.
 *
 *     interpolate_to: a whole number from 0
 *         The seed that the last item starts from; those between start evenly between its noise and that of the first, and all else is of the first.
 *
 *     variation_seed: a whole number from 0
 *         The items are variations of the first: item i starts from its noise moved toward that of this seed + i; with variation_strength.
 *
 *     variation_strength: a number from 0 to 1
 *         How far variations start from the first item's noise: from 0, the same, to 1, none of it. Default: 0.2.
 *
 * Pictures:
 *
 *     width: a whole number from 1 to 65536
 *         The width of the picture in pixels. Default: the model's.
 *
 *     height: a whole number from 1 to 65536
 *         The height of the picture in pixels. Default: the model's.
 *
 *     tile: a whole number from 0 to 65536
 *         The side of the tiles, in pixels, that a picture is encoded and decoded in, which bounds the memory of that; 0 for none, as with compat "diffusers". Default: the autoencoder's own size, for pictures with a side above 1024 pixels.
 *
 *     paste: 0 or 1
 *         Whether the pixels that a mask keeps are put back into the picture that was decoded. Default: 1 (0 with compat "diffusers").
 *
 *     weights: off, a1111, a1111-no-norm
 *         What brackets in a prompt mean. For CLIP's text encoders. Default: off.
 *         - off: Nothing: they are a part of the text.
 *         - a1111: Weights, as Stable Diffusion web UI writes them: (x) is 1.1 times as strong, (x:1.3) 1.3 times, and what is in square brackets is 1.1 times as weak; what the encoder makes of the text keeps its mean. BREAK begins another chunk.
 *         - a1111-no-norm: The same, without that mean.
 *
 *     long_prompts: truncate, chunks
 *         What becomes of a prompt that is longer than a text encoder reads at once. For CLIP's text encoders. Default: truncate.
 *         - truncate: What is too much is not seen, and the log says what that is.
 *         - chunks: It is read in chunks, whose embeddings follow each other, as in Stable Diffusion web UI.
 *
 *     image_guidance_scale: a number from 0 to 1000
 *         The scale of guidance toward the image, for models that are told an instruction; below 1 there is no guidance. Default: 1.5.
 *
 * Grid:
 *
 *     steps_offset: a whole number from 0
 *         What is added to the times of the leading grid. Default: the model's, else 0.
 *
 *     ending: clean, first, level
 *         The level that the run ends at. Default: the model's, else clean.
 *         - clean: At the clean sample (alpha = 1, sigma = 0).
 *         - first: At the least noisy level of training, t = 0; Stable Diffusion's configuration.
 *         - level: At the last level of the grid itself, which is then not evaluated: no jump.
 *
 *     rho: a number from 0.1 to 100
 *         rho of the karras grid. Default: the model's, else 7.
 *
 *     sigma_min: a number from 0.000000001 to 1000000000
 *         The least sigma/alpha of the grids over noise (t for flow matching). Default: the model's, else the schedule's.
 *
 *     sigma_max: a number from 0.000000001 to 1000000000
 *         The greatest sigma/alpha of the grids over noise (t for flow matching). Default: the model's, else the schedule's.
 *
 *     original_steps: a whole number from 1 to 1000000
 *         The steps of distillation, for the lcm grid. Default: the model's, else 50.
 *
 *     shift: a number from 0.001 to 1000
 *         The shift s of times toward noise, s*t/(1 + (s-1)*t), for flow matching. e^mu is diffusers' dynamic shift. Default: the model's, else 1.
 *
 *     shift_terminal: a number from 0 to 0.999
 *         Where the last time that is evaluated lies on the straight path, after the shift: the times before it are stretched along.
 *
 *     mu: a number from -20 to 20
 *         mu of diffusers' dynamic shift, in place of shift: e^mu, or mu itself where a scheduler's configuration says so.
 *
 *     tokens: a whole number from 1 to 4294967296
 *         The number of tokens of an image, from which a scheduler's configuration that shifts dynamically has mu.
 *
 *     mu_rule: linear, empirical
 *         How mu is found from tokens. Default: the model's, else linear.
 *         - linear: On the line between the configuration's base_shift and max_shift.
 *         - empirical: By the number of steps too, as FLUX.2's pipeline has it.
 *
 *     lambda_min: a number from -100 to 100
 *         The least lambda = ln(alpha/sigma) that a grid over times visits: it begins at the last time of training that has as much. For cosine schedules Lu et al. 2022 take -5.1.
 *
 * Explicit noise levels:
 *
 *     timesteps: 1 to 10000 numbers, separated by commas
 *         The grid itself: the times that are evaluated, noisiest first, in place of grid and steps.
 *
 *     sigmas: 1 to 10000 numbers, separated by commas
 *         The grid itself: the sigma/alpha (t for flow matching) that are evaluated, noisiest first, in place of grid and steps; the 0 that the run ends at may be there.
 *
 * Guidance:
 *
 *     guidance_scale: a number from -1000 to 1000
 *         The scale s of classifier-free guidance toward the class: 1 is the condition alone, 0 the negative one, 2 to 8 are usual. Default: the model's, else 1.
 *
 *     guidance_scales: 1 to 10000 numbers, separated by commas
 *         The scale of every step, in place of guidance_scale; a plain step with 1 takes one evaluation.
 *
 *     guidance_sigma_min: a number from 0 to 1000000000
 *         The least sigma/alpha (t for flow matching) that is guided. Default: the model's, else 0.
 *
 *     guidance_sigma_max: a number from 0 to 1000000000
 *         The greatest sigma/alpha (t for flow matching) that is guided. Default: the model's, else no bound.
 *
 *     guidance_rescale: a number from 0 to 1
 *         How far the guided answer's standard deviation is brought back to that of the unguided (Lin et al. 2023). Default: the model's, else 0.
 *
 *     guidance_form: plain, apg, cfg++
 *         How the answers with the condition (c) and with the negative one (u) are put together. Default: the model's, else plain.
 *         - plain: x0 = u + s*(c - u), of the answers c with the condition and u without (Ho & Salimans 2022).
 *         - apg: c + (s - 1)*Delta, where Delta is c - u with momentum, kept short, and less of it along c (Sadat et al. 2024).
 *         - cfg++: As plain, with s from 0 to 1, and eps taken from u (Chung et al. 2024, arXiv:2406.08070); for ddim, euler, euler-ancestral and tcd.
 *
 *     guidance_space: output, denoised
 *         What apg and guidance_rescale are computed of; diffusers takes the output for both. Default: the model's, else denoised (output for guidance_rescale, as in their papers).
 *         - output: The network's output.
 *         - denoised: x0.
 *
 *     guidance_momentum: a number from -0.999 to 0.999
 *         beta of apg, the weight of the step before. Default: the model's, else -0.5.
 *
 *     guidance_parallel: a number from -10 to 10
 *         eta of apg, how much of the difference along c is kept. Default: the model's, else 0.
 *
 *     guidance_norm: a number from 0.000000001 to 1000000000
 *         r of apg, the greatest norm of the difference of an item. Default: the model's, else no bound.
 *
 *     guidance_pairing: auto, batched, sequential
 *         How the two evaluations of guidance are made. Default: the model's, else auto.
 *         - auto: As one batch, but one after the other where the graph's batch is fixed or the batch has more than 16 items; where the graph's batch is the pair of guidance, always as that pair.
 *         - batched: As one batch of twice the size.
 *         - sequential: One after the other, but for a graph whose batch is that pair.
 *
 * Classifier guidance:
 *
 *     classifier_scale: a number from -1000000 to 1000000
 *         The scale of a classifier's gradient. Default: 1.
 *
 *     classifier_form: auto, mean, noise
 *         How a classifier's gradient moves the sample. Default: auto.
 *         - auto: The mean's for DDPM, eps's for the others.
 *         - mean: The mean of a step moves by s*Sigma*grad log p(y|x), with the variance Sigma of the noise that it adds: algorithm 1, for DDPM.
 *         - noise: eps moves by -sigma*s*grad log p(y|x): algorithm 2, for any solver.
 *
 * Dynamic clipping:
 *
 *     threshold_ratio: a number from 0 to 1
 *         Which quantile of |x0| dynamic clipping goes by. Default: the model's, else 0.995.
 *
 *     threshold_max: a number from 1 to 1000000
 *         The greatest value that dynamic clipping leaves room for. Default: the model's, else 1000000.
 *
 * Langevin corrections:
 *
 *     corrector_steps: a whole number from 0 to 10000
 *         Langevin corrections at every level, before each step of the solver. Default: the model's, else 0 (10 for langevin).
 *
 *     corrector_snr: a number from 0.000001 to 1
 *         The signal-to-noise ratio r of Langevin corrections. Default: the model's, else 0.16.
 *
 *     corrector_size: noise, norms
 *         What the size of Langevin corrections goes by. Default: the model's, else noise.
 *         - noise: e = 2*r^2*sigma^2.
 *         - norms: e = 2*(r*|z|/|s|)^2, with the norms of an item's noise and score (Song et al. 2021). For pictures: with few values the norms scatter, and what is drawn is too wide.
 *
 * Solver options:
 *
 *     variance: posterior, beta, learned, learned-range
 *         The variance of DDPM's noise. Default: the model's, else posterior.
 *         - posterior: beta, the variance of the posterior q(x_{t-1} | x_t, x0) (eq. 7): right for data that is a single point.
 *         - beta: beta: right for data that is standard normal, and the larger of the two.
 *         - learned: The variance whose logarithm the network predicts, in the second half of its output (Nichol & Dhariwal 2021, "Improved Denoising Diffusion Probabilistic Models").
 *         - learned-range: Between those two in the logarithm, at the place that the network predicts (eq. 15 there).
 *
 *     eta: a number from 0 to 1
 *         eta, the share of fresh noise: 0 is deterministic, 1 as much as DDPM. Default: the model's, else 0 (1 for euler-ancestral and euler-ancestral-rf).
 *
 *     s_churn: a number from 0 to 1000000
 *         How much noise is added before a step, over all steps together. Default: the model's, else 0.
 *
 *     s_tmin: a number from 0 to 1000000000
 *         The least sigma/alpha at which noise is added. Default: the model's, else 0.
 *
 *     s_tmax: a number from 0 to 1000000000
 *         The greatest sigma/alpha at which noise is added. Default: the model's, else no bound.
 *
 *     s_noise: a number from 0 to 10
 *         The standard deviation of the noise that is added. Default: the model's, else 1.
 *
 *     lms_order: a whole number from 1 to 4
 *         How many slopes are used. Default: the model's, else 4.
 *
 *     warmup: plms, runge-kutta, none
 *         How the first steps are taken. Default: the model's, else plms.
 *         - plms: By Heun's mean in the first step, then in rising order (Crowson's PLMS, as Stable Diffusion has it): one more evaluation.
 *         - runge-kutta: Three pseudo Runge-Kutta steps (eq. 13): nine more evaluations.
 *         - none: In rising order: no more evaluations (diffusers' IPNDM).
 *
 *     algorithm: dpm-solver++, dpm-solver, sde-dpm-solver++, sde-dpm-solver
 *         What is expanded. Default: the model's, else dpm-solver++.
 *         - dpm-solver++: x0 is expanded, deterministic: right for most models, and stable with guidance.
 *         - dpm-solver: eps is expanded, deterministic.
 *         - sde-dpm-solver++: x0 is expanded, in the reverse SDE.
 *         - sde-dpm-solver: eps is expanded, in the reverse SDE; at most second order.
 *
 *     order: a whole number from 1 to 3
 *         The order of the solver. Default: the model's, else 2.
 *
 *     variant: midpoint, heun
 *         How the derivative enters. Default: the model's, else midpoint.
 *         - midpoint: As if it were taken in the middle (algorithm 2 of DPM-Solver++).
 *         - heun: By the exact integral of the expansion.
 *
 *     lower_order_final: 0 or 1
 *         Whether the last steps are of lower order. Default: the model's, else 1 (0 in dpm-solver and deis with 15 steps or more).
 *
 *     euler_at_final: 0 or 1
 *         Whether the last step of dpm-solver is of first order, whatever lower_order_final says. Default: the model's, else 0.
 *
 *     midpoint_noise: 0 or 1
 *         Whether fresh noise also goes into the midpoints of dpm-solver-2s (DPM++ SDE, with eta = 1). Default: the model's, else 0.
 *
 *     scaling: bh2, bh1
 *         The function B(h) of the paper. Default: the model's, else bh2.
 *         - bh2: e^h - 1.
 *         - bh1: h; for unconditional models and few steps.
 *
 *     predict_x0: 0 or 1
 *         Whether x0 is expanded (1) or eps (0). Default: the model's, else 1.
 *
 *     disable_corrector: 1 to 10000 numbers, separated by commas
 *         The steps, counted from 0, whose result unipc does not correct.
 *
 *     predictor_order: a whole number from 1 to 3
 *         The order of sa-solver's predictor. Default: the model's, else 2.
 *
 *     corrector_order: a whole number from 0 to 4
 *         The order of sa-solver's corrector, 0 for none. Default: the model's, else 2.
 *
 *     tau: a number from 0 to 10
 *         tau of sa-solver, the share of the reverse SDE's noise. Default: the model's, else 1.
 *
 *     tau_from: a number from 0 to 1
 *         The least time, as a share of the greatest, at which tau counts. Default: the model's, else 0.2.
 *
 *     tau_to: a number from 0 to 1
 *         The greatest time, as a share of the greatest there is, at which tau counts. Default: the model's, else 0.8.
 *
 *     timestep_scaling: a number from 0 to 1000000
 *         What times are multiplied by in the boundary condition of LCM; 0 for none. Default: the model's, else 10 (0 in continuous time).
 *
 *     gamma: a number from 0 to 1
 *         gamma of TCD: 0 is deterministic, 1 fully stochastic. Default: the model's, else 0.3.
 *
 *     estimation_gamma: a number from 1 to 5
 *         gamma of gradient-estimation, 1 for DDIM. Default: the model's, else 2.
 *
 *     discretization: reverse-diffusion, euler-maruyama
 *         How the reverse SDE is divided into steps. Default: the model's, else reverse-diffusion.
 *         - reverse-diffusion: By the forward process from level to level, reversed (appendix E).
 *         - euler-maruyama: By its rates at the beginning of each step; not on grids that start from pure noise.
 *
 *     rtol: a number from 0.000001 to 1
 *         The error that a step of rk45 may have relative to the sample, which is f32. Default: the model's, else 0.0001.
 *
 *     atol: a number from 0.000000001 to 1
 *         The error that a step of rk45 may have beside that. Default: the model's, else 0.0001.
 *
 *     max_evaluations: a whole number from 13 to 10000000
 *         After how many evaluations of an item rk45 gives up. Default: the model's, else 10000.
 */

#ifndef DIFFUSE_H
#define DIFFUSE_H

#include <stddef.h>
#include <stdint.h>

/*
 The type of an array: 32-bit floats.
 */
#define DIFFUSE_ELEMENT_F32 0

/*
 16-bit floats (IEEE 754 half precision).
 */
#define DIFFUSE_ELEMENT_F16 1

/*
 16-bit floats with the exponent of 32 bits (bfloat16).
 */
#define DIFFUSE_ELEMENT_BF16 2

/*
 64-bit floats.
 */
#define DIFFUSE_ELEMENT_F64 3

/*
 64-bit integers.
 */
#define DIFFUSE_ELEMENT_I64 4

/*
 32-bit integers.
 */
#define DIFFUSE_ELEMENT_I32 5

/*
 16-bit integers.
 */
#define DIFFUSE_ELEMENT_I16 6

/*
 8-bit integers.
 */
#define DIFFUSE_ELEMENT_I8 7

/*
 64-bit integers without a sign.
 */
#define DIFFUSE_ELEMENT_U64 8

/*
 32-bit integers without a sign.
 */
#define DIFFUSE_ELEMENT_U32 9

/*
 16-bit integers without a sign.
 */
#define DIFFUSE_ELEMENT_U16 10

/*
 8-bit integers without a sign.
 */
#define DIFFUSE_ELEMENT_U8 11

/*
 Truth values, a byte each, 0 or 1.
 */
#define DIFFUSE_ELEMENT_BOOL 12

/*
 What diffuse_job_poll() says of a job that no worker has, and that is not at its end: it is stepped by the host.
 */
#define DIFFUSE_JOB_IDLE 0

/*
 Its worker is running it.
 */
#define DIFFUSE_JOB_RUNNING 1

/*
 It is at its end, whoever has run it.
 */
#define DIFFUSE_JOB_FINISHED 2

/*
 Its worker has stopped before: diffuse_job_wait() says why.
 */
#define DIFFUSE_JOB_STOPPED 3

/*
 Its worker has stopped before, because of diffuse_job_pause() or because its time was up; it can be started again.
 */
#define DIFFUSE_JOB_PAUSED 4

/*
 What diffuse_job_stage() says while the model is opened.
 */
#define DIFFUSE_STAGE_LOADING 0

/*
 While what the samples are conditioned on and start from is made: prompts are read, images are encoded.
 */
#define DIFFUSE_STAGE_ENCODING 1

/*
 While the steps are done, and when they are: a job that decodes goes on.
 */
#define DIFFUSE_STAGE_SAMPLING 2

/*
 While pictures are made of what was drawn: of latents, by a folder's autoencoder.
 */
#define DIFFUSE_STAGE_DECODING 3

/*
 Pixel rows from the bottom up (Unity) instead of from the top down.
 */
#define DIFFUSE_BOTTOM_UP 1

/*
 Pixels as blue, green, red, alpha (Unreal) instead of red, green, blue, alpha.
 */
#define DIFFUSE_BGRA 2

/*
 What diffuse_request_set_prompt() takes for all of the items.
 */
#define DIFFUSE_ALL_ITEMS -1

/*
 It worked.
 */
#define DIFFUSE_OK 0

/*
 An argument cannot be used: change the call.
 */
#define DIFFUSE_ARGUMENT 1

/*
 The model, or its manifest, does not fit: change the model.
 */
#define DIFFUSE_MODEL 2

/*
 ONNX Runtime is missing, too old, or did not start.
 */
#define DIFFUSE_RUNTIME 3

/*
 The network failed, or said something that is not a number.
 */
#define DIFFUSE_EVALUATION 4

/*
 A file could not be read: diffuse_error_path() is which, diffuse_error_errno() why.
 */
#define DIFFUSE_IO 5

/*
 The job, or the call, was cancelled.
 */
#define DIFFUSE_CANCELLED 6

/*
 Another thread is working on the job: wait for it.
 */
#define DIFFUSE_BUSY 7

/*
 A bug in diffuse: free the handle involved.
 */
#define DIFFUSE_PANIC 8

/*
 An execution provider that was asked for cannot be used: install what it lacks, or ask for another.
 */
#define DIFFUSE_PROVIDER 9

/*
 The host's own callback failed, or wrote something that is not a number.
 */
#define DIFFUSE_CALLBACK 10

/*
 The system has no memory for it: ask for less, or free something.
 */
#define DIFFUSE_MEMORY 11

/*
 What was asked for is not there yet: go on with the job, and ask again.
 */
#define DIFFUSE_NOT_YET 12

/*
 The version of the header: major*10000 + minor*100 + patch. Compare it with `diffuse_version_number()`, the
 library's.
 */
#define DIFFUSE_VERSION 100

/*
 What ends calls from another thread: those that it is handed to and that are running, and every one that it is
 handed to afterwards. One may be handed to several calls, also at once. Jobs have diffuse_job_cancel() instead.
 */
typedef struct diffuse_cancel diffuse_cancel;

/*
 What an estimate of the clean samples is made from. It lives as long as the callback that it is given to.
 */
typedef struct diffuse_estimate diffuse_estimate;

/*
 A run. It works inside of diffuse_job_step(), diffuse_job_run() and diffuse_job_advance(), on the calling thread, or
 after diffuse_job_start() on one of its own. While it does, and while another thread is in a call that is not one of
 these, every call returns DIFFUSE_BUSY but for diffuse_job_poll(), _wait(), _progress(), _stage(), _expected(),
 _shape(), _error(), _estimates(), _model(), _preview(), _preview_pixels(), _pause() and _cancel(), which any thread
 may make at any time, and diffuse_job_free(), after which no thread may use the job any more.
 */
typedef struct diffuse_job diffuse_job;

/*
 A model: a network in ONNX Runtime and its manifest. Several threads may use it at once; evaluations take turns.
 Jobs keep what they need of it, so it may be freed while they live.
 */
typedef struct diffuse_model diffuse_model;

/*
 How a model is opened. A fresh one is right for a program that does other things as well.
 */
typedef struct diffuse_model_options diffuse_model_options;

/*
 What is to be drawn, and how. What is not set is as the model's manifest says. Values are checked against each other
 and the model when a job is made.
 */
typedef struct diffuse_request diffuse_request;

/*
 ONNX Runtime, loaded and started. There is one in a process: all handles refer to it, and freeing them does not stop
 it.
 */
typedef struct diffuse_runtime diffuse_runtime;

/*
 What messages go to: the severity (0 verbose, 1 information, 2 warning, 3 error, 4 fatal) and a text that is
 valid during the call. It may be called from any thread, also from several at once, and must not call diffuse.
 */
typedef void (*diffuse_log_sink)(int32_t severity, const char *message, void *user_data);

/*
 What lets go of `user_data`. It is called once, on whichever thread lets go of the function last that it was given
 with, also where the call fails that gives it. It may free handles, such as a model that its data holds, and must
 not call diffuse otherwise.
 */
typedef void (*diffuse_release)(void *user_data);

/*
 Code of the host's, called with every estimate of the clean samples: to change it, as guidance
 (diffuse_request_set_guidance_callback()), or to make it, as the network (diffuse_model_open_callback()). `values`,
 `length` of them, are those of all items one after the other; `estimate` says what they are made from. It returns 0;
 anything else ends the step with DIFFUSE_CALLBACK, and `message`, to which up to `capacity` bytes with a zero at
 their end may be written, becomes a part of its message.

 It is called on the thread that steps the job. It may cancel and free that job, but not step or read it; what is
 freed so is gone, with its callbacks and their data, when the step is over. Freeing another job waits for that one,
 so that two jobs must not free each other so. It must not unwind. One that does not return holds up its job:
 diffuse_job_cancel() and diffuse_job_wait() with a time return, but diffuse_job_free() does not before it does.
 */
typedef int32_t (*diffuse_callback)(const struct diffuse_estimate *estimate,
                                    float *values,
                                    size_t length,
                                    char *message,
                                    size_t capacity,
                                    void *user_data);

/*
 What a run is expected to take. Set `struct_size` to sizeof(diffuse_cost) before it is handed over. Fields are only
 added, at the end: a library that knows more leaves them away, and one that knows less says so by the size, beyond
 which nothing was written.
 */
typedef struct diffuse_cost {
  /*
   In: the size of the struct that the host knows. Out: how much of it was written.
   */
  uint32_t struct_size;
  /*
   0.
   */
  uint32_t reserved;
  /*
   How many estimates of the clean samples the run makes, each of which may take two runs of the network under
   guidance; 0 for a solver that chooses its own steps.
   */
  uint64_t evaluations;
  /*
   How many bytes the run and its model hold at a time on the CPU: the weights, what an evaluation needs, and the
   run's tensors. ONNX Runtime itself takes some 40 MB beside it.
   */
  uint64_t peak_bytes;
  /*
   How long the whole run takes on this machine as it is now, with opening what is not open; 0 for a solver that
   chooses its own steps.
   */
  double milliseconds;
  /*
   What of that the prompts and images take that a pipeline is given; 0 for a model of one network. Texts that were
   read lately are not read again.
   */
  double encoding_milliseconds;
  /*
   What of that the pictures take that are made of its latents, likewise.
   */
  double decoding_milliseconds;
} diffuse_cost;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 One question to the network, for a process of the host's own: the estimate `denoised` of the clean samples behind
 the noisy samples `x`, both `count` items of the model's shape, at the noise level (t, alpha, sigma). `length` is
 the number of values in each of the two, which may be the same. `request` says the classes and conditions of the
 items, and their shape where the model leaves it free; what else it says is about runs, and is not looked at. It may
 be NULL for a model that is given nothing.

 `cancel` may be NULL; with one it is DIFFUSE_CANCELLED once that was cancelled, promptly, also where it waits for
 its turn.
 */
int32_t diffuse_model_denoise(const struct diffuse_model *model,
                              const struct diffuse_request *request,
                              const float *x,
                              size_t length,
                              size_t count,
                              double t,
                              double alpha,
                              double sigma,
                              const struct diffuse_cancel *cancel,
                              float *denoised);

/*
 The logarithm of the density, in nats, of each of the `count` samples in `x`, `length` values in all, along the
 probability-flow ODE, to `log_densities`, which has room for `count` values. `directions` is how many random
 directions Hutchinson's estimate of the divergence takes, drawn with `seed`; 0 takes the whole trace, for points and
 other small items. `tolerance` is the error that a step may have, relative and absolute, from 1e-9 to 0.1; 1e-5 is
 usual. `request` and `cancel` as for diffuse_model_denoise().

 It is the density of the slightly noisy sample at the least noisy level of the schedule. It takes hundreds of
 evaluations and more for each item.
 */
int32_t diffuse_model_log_density(const struct diffuse_model *model,
                                  const struct diffuse_request *request,
                                  const float *x,
                                  size_t length,
                                  size_t count,
                                  size_t directions,
                                  double tolerance,
                                  uint64_t seed,
                                  const struct diffuse_cancel *cancel,
                                  double *log_densities);

/*
 DDPM's variational bound on the negative logarithm of the probability of each of the `count` samples in `x`,
 `length` values in all (from -1 to 1 in 256 steps), in bits per value, to `bits_per_dim`, which has room for `count`
 values. `variance` is that of the reverse process: "posterior", "beta", or for a network that says it "learned" or
 "learned-range". The noise is drawn with `seed`. `request` and `cancel` as for diffuse_model_denoise(). It takes one
 evaluation for each training step; DIFFUSE_ARGUMENT where the schedule has none.
 */
int32_t diffuse_model_variational_bound(const struct diffuse_model *model,
                                        const struct diffuse_request *request,
                                        const float *x,
                                        size_t length,
                                        size_t count,
                                        const char *variance,
                                        uint64_t seed,
                                        const struct diffuse_cancel *cancel,
                                        double *bits_per_dim);

/*
 Noises clean samples: `x` becomes alpha*x0 + sigma*noise at the time `time` of the model's schedule, for `count`
 items, `length` values in all. The noise is what a run with this seed starts from, item i's of seed + i. `x` may be
 `x0`. `request` says the items' shape where the model leaves it free, else it may be NULL.
 */
int32_t diffuse_model_add_noise(const struct diffuse_model *model,
                                const struct diffuse_request *request,
                                const float *x0,
                                size_t length,
                                size_t count,
                                double time,
                                uint64_t seed,
                                float *x);

/*
 Makes a cancel. Free it with diffuse_cancel_free().
 */
int32_t diffuse_cancel_new(struct diffuse_cancel **cancel);

/*
 Frees a cancel, also while a call uses it, which goes on. NULL is fine.
 */
void diffuse_cancel_free(struct diffuse_cancel *cancel);

/*
 Cancels, from any thread: the calls that it was handed to, and every later one, return DIFFUSE_CANCELLED, as soon as
 the node of the network that is running ends, and at once where they wait for their turn at the model. It cannot be
 taken back.
 */
int32_t diffuse_cancel_cancel(const struct diffuse_cancel *cancel);

/*
 What went wrong in the last call on this thread that failed, in English, with the argument, file or tensor and the
 remedy; "" if none has failed. The string is valid until the next call that fails on this thread.
 */
const char *diffuse_error_message(void);

/*
 The file that the last call on this thread that failed could not read or write (DIFFUSE_IO); NULL if it failed for
 another reason, or none has. The string is valid until the next call that fails on this thread.
 */
const char *diffuse_error_path(void);

/*
 The number that the system gave for it: errno, or what GetLastError() says on Windows; 0 where it gave none.
 */
int32_t diffuse_error_errno(void);

/*
 The noisy samples that the estimate is made from, alpha*clean + sigma*noise, of the shape that
 diffuse_estimate_shape() says, to be read during the callback. NULL if `estimate` is none.
 */
const float *diffuse_estimate_x(const struct diffuse_estimate *estimate);

/*
 The noise level: the time `t` of the model's schedule, alpha and sigma. What a network is given for the time is
 another thing: diffuse_estimate_time().
 */
int32_t diffuse_estimate_level(const struct diffuse_estimate *estimate,
                               double *t,
                               double *alpha,
                               double *sigma);

/*
 The step of the run, counted from 0, and how many items there are. Solvers that take several estimates a step give
 the same step to each; one that chooses its own steps takes one item at a time; and guidance asks a network for
 twice the request's items at once, the guided and the unguided, or in turn.
 */
int32_t diffuse_estimate_step(const struct diffuse_estimate *estimate,
                              size_t *step,
                              size_t *items);

/*
 The shape of x, batch first, as diffuse_job_shape(): that of the request, for a model that leaves it free.
 */
int32_t diffuse_estimate_shape(const struct diffuse_estimate *estimate,
                               size_t *axes,
                               size_t capacity,
                               size_t *rank);

/*
 What the network is given for the time, which the manifest says how to make of the level. DIFFUSE_ARGUMENT in a
 guidance callback.
 */
int32_t diffuse_estimate_time(const struct diffuse_estimate *estimate,
                              double *time);

/*
 What the network sees of the samples, to be read during the callback: scaled as the manifest says, and with the
 conditions that are joined to the samples before or behind them, item by item; `*length` values. DIFFUSE_ARGUMENT in
 a guidance callback.
 */
int32_t diffuse_estimate_input(const struct diffuse_estimate *estimate,
                               const float **values,
                               size_t *length);

/*
 The class of every item, to be read during the callback; NULL for a model without classes, or if `estimate` is none.
 */
const int64_t *diffuse_estimate_classes(const struct diffuse_estimate *estimate);

/*
 The condition called `name` in the manifest, to be read during the callback: its values in `*values`, of the type
 `*element`, and its shape, items first unless it is one for all, as diffuse_estimate_shape() gives that of x. The
 type is one that has the numbers of the graph's: DIFFUSE_ELEMENT_F32 for floats of 16 and 32 bits,
 DIFFUSE_ELEMENT_F64, or DIFFUSE_ELEMENT_I64 for integers and truth values; for a network of the host's own one that
 has the numbers of the request's. DIFFUSE_ARGUMENT if there is none of that name.
 */
int32_t diffuse_estimate_condition(const struct diffuse_estimate *estimate,
                                   const char *name,
                                   int32_t *element,
                                   const void **values,
                                   size_t *axes,
                                   size_t capacity,
                                   size_t *rank);

/*
 Whether the job was cancelled, `*cancelled` 1 or 0, so that a network that takes long may return early, with
 anything. DIFFUSE_ARGUMENT in a guidance callback.
 */
int32_t diffuse_estimate_is_cancelled(const struct diffuse_estimate *estimate,
                                      int32_t *cancelled);

/*
 Makes a job that draws `request` from `model`; both may be freed or changed afterwards. DIFFUSE_ARGUMENT with the
 field of the request that does not fit. On success `*job` is to be freed with diffuse_job_free(); on failure it is
 NULL.
 */
int32_t diffuse_job_new(const struct diffuse_model *model,
                        const struct diffuse_request *request,
                        struct diffuse_job **job);

/*
 Makes a job whose model is opened when it is first stepped or started, so that a worker can do all of it: `path`,
 `options` and `request` are as for diffuse_model_open() and diffuse_job_new(), and may be freed or changed
 afterwards, but for what callbacks are given. What is wrong with them is said by the step, or by diffuse_job_wait(),
 which can be tried again. Cancelling ends the opening where ONNX Runtime looks up, which the compiling of a provider
 does not.

 `runtime` may be NULL: the worker opens the one that diffuse_runtime_open() finds by itself, which takes longer than
 a frame. This call then sets ORT_DISABLE_TELEMETRY=1 unless that variable is set: as with diffuse_runtime_open(),
 the first one is to be made before other threads read or change environment variables. `request` may be NULL: the
 job opens the model, and is at its end. diffuse_job_model() gives the model.

 Until the model is open calls that need its samples, diffuse_job_restore() among them, are DIFFUSE_NOT_YET;
 diffuse_job_advance() with a time of 0 opens it and makes one step. Sizes and classes that only the model knows are
 had from diffuse_model_open() instead.
 */
int32_t diffuse_job_open(const struct diffuse_runtime *runtime,
                         const char *path,
                         const struct diffuse_model_options *options,
                         const struct diffuse_request *request,
                         struct diffuse_job **job);

/*
 As diffuse_job_open(), for a model from the `length` bytes of its file, which are copied.
 */
int32_t diffuse_job_open_bytes(const struct diffuse_runtime *runtime,
                               const uint8_t *bytes,
                               size_t length,
                               const struct diffuse_model_options *options,
                               const struct diffuse_request *request,
                               struct diffuse_job **job);

/*
 The model that the job draws from, also one that it has opened itself, in `*model`: another handle of it, to be
 freed with diffuse_model_free(), before the job or after it. DIFFUSE_NOT_YET before it is open. Any thread may ask.
 */
int32_t diffuse_job_model(const struct diffuse_job *job,
                          struct diffuse_model **model);

/*
 Cancels a job and frees it, waiting for a step that another thread is in, which ends soon. NULL is fine. In a
 callback of the job itself it is freed when the step is over that the callback is called in, and may not be used any
 more.
 */
void diffuse_job_free(struct diffuse_job *job);

/*
 Starts from `x`, `length` values, instead of from drawn noise: the noisy samples at the first level of the run,
 before the first step. They are copied.
 */
int32_t diffuse_job_start_from(struct diffuse_job *job,
                               const float *x,
                               size_t length);

/*
 Does one step: one estimate of the clean samples, and every move that it allows. `*finished` becomes 1 with the last
 step and is 0 before; it may be NULL. Steps after the last do nothing. A step that fails leaves the samples as they
 were.

 DIFFUSE_CANCELLED after diffuse_job_cancel(), DIFFUSE_EVALUATION if the network fails.
 */
int32_t diffuse_job_step(struct diffuse_job *job,
                         int32_t *finished);

/*
 Steps to the end. As diffuse_job_step().
 */
int32_t diffuse_job_run(struct diffuse_job *job);

/*
 Steps for as long as the time lasts, for a host that works within a frame: as many estimates as are expected to fit
 into `microseconds`, by those that the job has made, and none that is not expected to. Of a job that has made none
 nothing is known, and one is made (and its model opened, after diffuse_job_open()).

 Where none fits, nothing is done, and the status is DIFFUSE_OK: a time that is too short for any does not end the
 run. The log sink (diffuse_log_set()) hears so, once for each job. On a slow or busy machine give it the greater of
 the frame's time and what diffuse_job_expected() says, draw fewer items, or start a worker. An evaluation is not cut
 short: the call takes longer than its time by what the last one takes longer than expected. Otherwise as
 diffuse_job_step().
 */
int32_t diffuse_job_advance(struct diffuse_job *job,
                            uint64_t microseconds,
                            int32_t *finished);

/*
 What the job's next step is expected to take, in `*microseconds`: as long as the longest of the latest ones; 0
 before the first. diffuse_job_advance() with that time makes a step. Any thread may ask.
 */
int32_t diffuse_job_expected(const struct diffuse_job *job,
                             uint64_t *microseconds);

/*
 Runs the job to its end on a thread of its own, named "diffuse job", and returns at once. Meanwhile calls that step
 or read it return DIFFUSE_BUSY; diffuse_job_poll(), diffuse_job_wait(), diffuse_job_progress(), the previews and
 diffuse_job_cancel() are for any thread. A callback is called on the worker. One that has stopped can be started
 again.

 DIFFUSE_CANCELLED if it was cancelled, DIFFUSE_BUSY if it runs already or another thread is in a call of it,
 DIFFUSE_RUNTIME if the system refuses a thread.
 */
int32_t diffuse_job_start(struct diffuse_job *job);

/*
 As diffuse_job_start(), but for as long as the time lasts, as in diffuse_job_advance(): a deadline. The preview then
 is the best estimate that could be had by then; the job is DIFFUSE_JOB_PAUSED, or _FINISHED if it had steps to
 spare. An evaluation is not cut short.
 */
int32_t diffuse_job_start_for(struct diffuse_job *job,
                              uint64_t microseconds);

/*
 Lets the job's worker end after the step that it is in, from any thread, without waiting for it: diffuse_job_wait()
 does, and then finds it DIFFUSE_JOB_PAUSED, or _FINISHED. It can be read then, kept with diffuse_job_snapshot(),
 stepped, and started again. Of a job that is not running it does nothing.
 */
int32_t diffuse_job_pause(const struct diffuse_job *job);

/*
 Says in `*state` how the job stands: DIFFUSE_JOB_IDLE, _RUNNING, _FINISHED, _STOPPED or _PAUSED. It does not wait,
 and any thread may ask.
 */
int32_t diffuse_job_poll(const struct diffuse_job *job,
                         int32_t *state);

/*
 Waits until the job's worker has ended, but not longer than `milliseconds`; `*state` then is as diffuse_job_poll()
 says. It returns how the run ended: DIFFUSE_OK also if it is still running or was not started, DIFFUSE_CANCELLED
 after diffuse_job_cancel(), also before its start, else as diffuse_job_step(). Any thread may wait, but for the
 worker itself.
 */
int32_t diffuse_job_wait(const struct diffuse_job *job,
                         uint64_t milliseconds,
                         int32_t *state);

/*
 Cancels a job, from any thread, also before it has started: the step that is running and every later one return
 DIFFUSE_CANCELLED, as soon as the node of the network that is running ends. OpenVINO and TensorRT make one node of
 all that they take; there it is after the evaluation. It cannot be taken back.
 */
int32_t diffuse_job_cancel(const struct diffuse_job *job);

/*
 How many steps of sampling are done, and how many there are in all; 0 of 0 before its model is open. A job of a
 folder encodes before the first and decodes after the last: diffuse_job_stage() says so. Any thread may ask.
 */
int32_t diffuse_job_progress(const struct diffuse_job *job,
                             size_t *step,
                             size_t *steps);

/*
 How many estimates of the samples there have been to look at, in `*estimates`: it grows with what
 diffuse_job_preview() gives, so that a host whose frame finds the number that the last one found has nothing to
 upload. What is taken up from a snapshot counts as one. Any thread may ask.
 */
int32_t diffuse_job_estimates(const struct diffuse_job *job,
                              uint64_t *estimates);

/*
 What the job is at: `*stage` is DIFFUSE_STAGE_LOADING, _ENCODING, _SAMPLING or _DECODING, of which `*done` of
 `*total` pieces of work are done; of sampling these are the steps. Any thread may ask.
 */
int32_t diffuse_job_stage(const struct diffuse_job *job,
                          int32_t *stage,
                          size_t *done,
                          size_t *total);

/*
 What the latest step of the job that failed said, whichever thread it was on, also its worker: its status in
 `*status` (DIFFUSE_OK if none has failed) and its message as a string in `message`, as much of it as `capacity`
 bytes hold with the zero at the end; `message` may be NULL if `capacity` is 0. Any thread may ask.
 */
int32_t diffuse_job_error(const struct diffuse_job *job,
                          int32_t *status,
                          char *message,
                          size_t capacity);

/*
 The shape of the samples, batch first. As diffuse_model_shape().
 */
int32_t diffuse_job_shape(const struct diffuse_job *job,
                          size_t *axes,
                          size_t capacity,
                          size_t *rank);

/*
 Copies the samples as they stand, all items one after the other: noisy before the end of the run, the result after
 it. `length` is the number of values that there is room for, exactly that of the samples. Of a folder it is the
 pictures, which are there at the end of the run: DIFFUSE_NOT_YET before.
 */
int32_t diffuse_job_read(const struct diffuse_job *job,
                         float *values,
                         size_t length);

/*
 Copies what the network of a folder samples, all items one after the other, as it stands: latents, of which pictures
 are made at the end, and which stay afterwards. `*needed` becomes the number of their values, which `length` has to
 be; with a `length` of 0, where `values` may be NULL, only that is said. Of a model of one network it is the samples
 of diffuse_job_read(). DIFFUSE_NOT_YET before there are any, as anything that fails, leaves `*needed` as it was.
 */
int32_t diffuse_job_latents(const struct diffuse_job *job,
                            float *values,
                            size_t length,
                            size_t *needed);

/*
 Draws item `item` of the samples as pixels of four bytes, for an image model. Rows are `stride` bytes apart, at
 least 4*width; `length` is the size of `pixels` in bytes, at least stride*(height-1) + 4*width. `flags` is 0 or a
 sum of DIFFUSE_BOTTOM_UP and DIFFUSE_BGRA. Values are in the encoding that the model was trained on (sRGB as a
 rule), alpha is straight, 255 where the image has none. Bytes between the rows are left alone. DIFFUSE_ARGUMENT for
 latents, which are no pixels before they are decoded, and for a tensor.
 */
int32_t diffuse_job_read_pixels(const struct diffuse_job *job,
                                size_t item,
                                uint8_t *pixels,
                                size_t length,
                                size_t stride,
                                uint32_t flags);

/*
 Writes the job as it stands between two steps to `bytes`, for diffuse_job_restore(), also in another process: a
 saved game, a suspended app, a run that is to branch. `*length` becomes the number of bytes, which `capacity` has to
 be at least; with a capacity of 0, where `bytes` may be NULL, only that is said. It holds the samples and what is
 kept of earlier steps, not the request.

 DIFFUSE_IO if a file of the model, whose hash is noted, was changed since it was opened.
 */
int32_t diffuse_job_snapshot(const struct diffuse_job *job,
                             uint8_t *bytes,
                             size_t capacity,
                             size_t *length);

/*
 Takes up what diffuse_job_snapshot() wrote of a job of the same model, shape, solver, steps, grid and kind of noise.
 With the same request the run ends with the same bits; what else the request says may differ, for a run that
 branches off. The bytes are not trusted: DIFFUSE_ARGUMENT if they are no snapshot, were changed, or are of another
 run, and the job stands where it stood. A job of a folder that was sampling encodes again what it is given first.
 */
int32_t diffuse_job_restore(struct diffuse_job *job,
                            const uint8_t *bytes,
                            size_t length);

/*
 Copies the latest estimate of what the samples will be, which after the last step is the result, from any thread,
 also while a step is running. As diffuse_job_read(). DIFFUSE_NOT_YET before the first step.
 */
int32_t diffuse_job_preview(const struct diffuse_job *job,
                            float *values,
                            size_t length);

/*
 Draws item `item` of the latest estimate as pixels, from any thread, also while a step is running. As
 diffuse_job_read_pixels(), but latents can be looked at: by the matrix of the manifest (sample.preview), else by
 their first three channels, each from its least value to its greatest. DIFFUSE_NOT_YET before the first step.
 */
int32_t diffuse_job_preview_pixels(const struct diffuse_job *job,
                                   size_t item,
                                   uint8_t *pixels,
                                   size_t length,
                                   size_t stride,
                                   uint32_t flags);

/*
 Sends ONNX Runtime's messages, which begin with "ONNX Runtime: ", to `sink`, together with `user_data`; NULL, the
 default, drops them. So are those of diffuse about what is no error and may not be meant, such as a time that no
 step fits into. Errors that diffuse reports by a status are said there and need no sink. When the call returns the
 former sink is not called any more.
 */
int32_t diffuse_log_set(diffuse_log_sink sink,
                        void *user_data);

/*
 The same with a function that lets go of `user_data`, once the sink is not called any more.
 */
int32_t diffuse_log_set_owned(diffuse_log_sink sink, void *user_data, diffuse_release release);

/*
 Makes options: the default number of threads (diffuse_model_options_set_threads()), no spinning, the model's own
 manifest. Free them with diffuse_model_options_free().
 */
int32_t diffuse_model_options_new(struct diffuse_model_options **options);

/*
 Frees options. NULL is fine.
 */
void diffuse_model_options_free(struct diffuse_model_options *options);

/*
 How many threads one evaluation uses, up to 1024. 0 is one per physical core, less one where there are more than
 two: that core is left to the host.
 */
int32_t diffuse_model_options_set_threads(struct diffuse_model_options *options,
                                          uint32_t threads);

/*
 Whether idle threads spin while they wait (not 0) or sleep (0). Spinning makes evaluations that follow each other at
 once a little faster and burns a core between those that do not.
 */
int32_t diffuse_model_options_set_spinning(struct diffuse_model_options *options,
                                           int32_t spinning);

/*
 Adds the execution provider called `provider`, such as "cuda", to those that evaluate the network; the file
 PROVIDERS.md beside the header has them. They are wanted in the order in which they are added: the first that can be
 had takes the nodes that it can, the next ones the rest. Without any it is the CPU alone. One that cannot be had is
 passed over only if there is another after it, and diffuse_model_placement() says so; to go on with the CPU, add
 "cpu" last.
 */
int32_t diffuse_model_options_add_provider(struct diffuse_model_options *options,
                                           const char *provider);

/*
 Adds a provider that comes as a plugin library for ONNX Runtime, at `path`, and is called `provider` from here on.
 The library is loaded when a model is first opened with it, and stays as long as the process.
 */
int32_t diffuse_model_options_add_provider_library(struct diffuse_model_options *options,
                                                   const char *provider,
                                                   const char *path);

/*
 Sets the option `key` of `provider`, which was added before, to `value`. The file PROVIDERS.md lists the options.
 One that the provider does not have, or a value that it cannot have, is DIFFUSE_ARGUMENT; those of plugin libraries
 are checked when a model is opened.
 */
int32_t diffuse_model_options_set_provider_option(struct diffuse_model_options *options,
                                                  const char *provider,
                                                  const char *key,
                                                  const char *value);

/*
 Whether the CPU may take the nodes that none of the providers takes (not 0), without being one of them. In any case
 it may take those that compute sizes, which CUDA leaves to the CPU by choice, and those of a pipeline's parts beside
 its predictor, for which no step waits.
 */
int32_t diffuse_model_options_set_cpu_nodes(struct diffuse_model_options *options,
                                            int32_t cpu_nodes);

/*
 A manifest, as JSON, to use instead of the model's own.
 */
int32_t diffuse_model_options_set_manifest(struct diffuse_model_options *options, const char *json);

/*
 For a model from bytes whose weights are in files of their own: a file's name, as the model spells it, and its
 bytes, which are copied.
 */
int32_t diffuse_model_options_add_external_data(struct diffuse_model_options *options,
                                                const char *name,
                                                const uint8_t *bytes,
                                                size_t length);

/*
 Whether weights that lie in files of their own are read into memory (not 0) or mapped (0). Mapping is quicker and
 takes less memory, but a program that overwrites such a file in place, while the model is open, ends this process
 (SIGBUS) or changes what is drawn. Replacing the file by another one of its name is harmless.
 */
int32_t diffuse_model_options_set_copy_weights(struct diffuse_model_options *options,
                                               int32_t copy_weights);

/*
 What ends an opening with these options from another thread, which then is DIFFUSE_CANCELLED; it may be freed
 meanwhile. NULL takes it back. The compiling of a provider is not cut short. diffuse_job_open() has
 diffuse_job_cancel() instead.
 */
int32_t diffuse_model_options_set_cancel(struct diffuse_model_options *options,
                                         const struct diffuse_cancel *cancel);

/*
 What becomes of the parts of a folder that are not evaluated at the time: `policy` is "keep" (they stay open, which
 is so unless set), "stage" (each is given back when its stage of a run is over, so that a run holds its largest part
 and no other), or a number of bytes, which may end in k, M or G: they are given back where the files of those that
 are open have more.
 */
int32_t diffuse_model_options_set_memory(struct diffuse_model_options *options,
                                         const char *policy);

/*
 How urgent the work of the model is: `priority` is "normal", or "background" for what gives way to the host, whose
 frames go on while it draws: the threads that ONNX Runtime has for it, and the workers of its jobs
 (diffuse_job_start()), then have a lower priority, by +10 of Linux's nice values, Windows' lowest, and the utility
 class of macOS and iOS, which takes no privilege. The host's own threads keep theirs, also while they step a job.
 A callback of the host's that a worker calls is as urgent as the worker. What the system refuses is said to the log
 sink, and goes on as it is. Jobs have that of their model. "normal" unless set.
 */
int32_t diffuse_model_options_set_priority(struct diffuse_model_options *options,
                                           const char *priority);

/*
 Opens the model file at `path` (UTF-8). Its manifest is that of `options`, else the file beside it
 (model.diffuse.json for model.onnx), else the one in its metadata. `options` may be NULL.

 Or opens the folder at `path`: one of a pipeline that was exported to ONNX, such as Stable Diffusion, with its text
 encoders and its autoencoder; requests then have prompts, and what is drawn is pictures. Its graphs are looked at,
 and opened when a run needs them.

 DIFFUSE_IO if a file cannot be read, DIFFUSE_MODEL if it is no model, has no manifest, or the two do not fit,
 DIFFUSE_PROVIDER if none of the providers can be had, with the library that is missing, or if they leave nodes of
 the network to the CPU, which was not asked for: add "cpu" last, or allow it with
 diffuse_model_options_set_cpu_nodes(). On success `*model` is to be freed with diffuse_model_free(); on failure it
 is NULL.
 */
int32_t diffuse_model_open(const struct diffuse_runtime *runtime,
                           const char *path,
                           const struct diffuse_model_options *options,
                           struct diffuse_model **model);

/*
 Opens a model from the bytes of its file, which are not needed afterwards. As diffuse_model_open() otherwise.
 */
int32_t diffuse_model_open_bytes(const struct diffuse_runtime *runtime,
                                 const uint8_t *bytes,
                                 size_t length,
                                 const struct diffuse_model_options *options,
                                 struct diffuse_model **model);

/*
 Opens a model of several parts from the bytes of its files: `count` of them, each with its path from the folder that
 it would lie in in `names`, such as "unet/model.onnx", its bytes in `bytes` and their number in `lengths`. They are
 copied, and kept for as long as the model is open. As diffuse_model_open() otherwise, of a folder.
 */
int32_t diffuse_model_open_parts(const struct diffuse_runtime *runtime,
                                 const char *const *names,
                                 const uint8_t *const *bytes,
                                 const size_t *lengths,
                                 size_t count,
                                 const struct diffuse_model_options *options,
                                 struct diffuse_model **model);

/*
 Makes a model whose network is the host's own code, `callback`, for hosts that run it themselves; samplers, guidance
 and jobs are the same, and ONNX Runtime is not needed. `manifest` is as for a model file, without names of inputs
 and outputs. The callback writes what the manifest says that the network predicts, of the samples' shape (with twice
 the channels where it says a variance), as one batch; diffuse_estimate_time(), _input(), _classes() and _condition()
 have what it is given. It may be called by several jobs at once, and has to stay valid, as `user_data`, for as long
 as the model and its jobs do.

 DIFFUSE_MODEL with what is wrong in the manifest. On success `*model` is to be freed with diffuse_model_free(); on
 failure it is NULL.
 */
int32_t diffuse_model_open_callback(const char *manifest,
                                    diffuse_callback callback,
                                    void *user_data,
                                    struct diffuse_model **model);

/*
 The same with a function that lets go of `user_data`, once nothing calls the callback any more.
 */
int32_t diffuse_model_open_callback_owned(const char *manifest,
                                          diffuse_callback callback,
                                          void *user_data,
                                          diffuse_release release,
                                          struct diffuse_model **model);

/*
 Gives back to the system what evaluations have needed at a time and do not need now; ONNX Runtime keeps it otherwise
 for as long as the model is open. That is done at the end of an evaluation, which this makes, of one item. What lies
 on a device is left alone. As diffuse_model_denoise().
 */
int32_t diffuse_model_trim(const struct diffuse_model *model,
                           const struct diffuse_cancel *cancel);

/*
 Frees a model. NULL is fine. Jobs of it go on.
 */
void diffuse_model_free(struct diffuse_model *model);

/*
 The model's name in its manifest, else that of its file without the ending, else "model"; NULL if `model` is none.
 The string lives as long as the handle.
 */
const char *diffuse_model_name(const struct diffuse_model *model);

/*
 The manifest, as JSON with all defaults filled in; NULL if `model` is none. What it says of the solver, its options,
 the grid and the steps is what a request gets that names no solver. What has no default is there only if the
 manifest gives it, and so are the names of inputs and outputs. It is to be read, not to open a model with: a grid
 and steps that stand in a manifest are also those of a solver that a request names. The string lives as long as the
 handle.
 */
const char *diffuse_model_manifest(const struct diffuse_model *model);

/*
 The execution provider in use, by the name it was added with: the first of those added that evaluates a part of the
 network; "host" for a network of the host's own; NULL if `model` is none. The string lives as long as the handle.
 */
const char *diffuse_model_provider(const struct diffuse_model *model);

/*
 The same in full, as JSON: {"provider": "cpu", "nodes": [{"provider": "cpu", "nodes": 123}], "skipped":
 [{"provider": "cuda", "reason": "..."}]}, where `nodes` is empty if no provider was added; NULL if `model` is none.
 The string lives as long as the handle.
 */
const char *diffuse_model_placement(const struct diffuse_model *model);

/*
 What the model is known by, in hexadecimal, in `*sha256`: the SHA-256 of the lines that `sha256sum` prints of its
 parts ("graph", each file with weights by its name in the graph, and "manifest", the one in use); of the manifest,
 for a network of the host's own. The string lives as long as the handle. Files are read for it when it is first
 asked for: DIFFUSE_IO if one was changed since the model was opened.
 */
int32_t diffuse_model_sha256(const struct diffuse_model *model,
                             const char **sha256);

/*
 The shape of one item, without the batch; for an image channels, height, width. It is the manifest's, which a
 network with free axes need not keep to; 0 is a size that the manifest leaves free as well. Of a folder it is that
 of a picture: the usual one, which the options width and height change. Its axes go into `axes`, which has room for
 `capacity`, and their number into `*rank`. With a `capacity` of 0 only the number is given.
 */
int32_t diffuse_model_shape(const struct diffuse_model *model,
                            size_t *axes,
                            size_t capacity,
                            size_t *rank);

/*
 How many classes the model has, without the null class; 0 if it has none or `model` is none.
 */
size_t diffuse_model_class_count(const struct diffuse_model *model);

/*
 Their names in the order of their numbers, as a JSON array of strings; of a class without a name its number. Without
 the null class, whose name is "none"; [] if it has none; NULL if `model` is none. The string lives as long as the
 handle.
 */
const char *diffuse_model_classes(const struct diffuse_model *model);

/*
 The number of the class called `name` (or spelled as a number, or "none" for the null class) in `*class_index`.
 */
int32_t diffuse_model_class(const struct diffuse_model *model,
                            const char *name,
                            int64_t *class_index);

/*
 The noise level at time `t` of the model's schedule (0 the cleanest; below 0 the clean sample): x = alpha*x0 +
 sigma*eps. DIFFUSE_ARGUMENT if `t` is beyond the schedule's times, or no number.
 */
int32_t diffuse_model_level(const struct diffuse_model *model,
                            double t,
                            double *alpha,
                            double *sigma);

/*
 Makes values of pixels for an image model: the opposite of diffuse_job_read_pixels(), with the same `length`,
 `stride` and `flags`, of one image of the model's size. `capacity` is the number of values that there is room for,
 exactly that of an item. Drawn again they are the same pixels, if they are opaque: a model without alpha gets
 transparent pixels over white. Grey ones take the luma of ITU-R BT.601.
 */
int32_t diffuse_model_values(const struct diffuse_model *model,
                             const uint8_t *pixels,
                             size_t length,
                             size_t stride,
                             uint32_t flags,
                             float *values,
                             size_t capacity);

/*
 Makes a request for one item with seed 0. Free it with diffuse_request_free().
 */
int32_t diffuse_request_new(struct diffuse_request **request);

/*
 Says what drawing `request` from `model` will take. It is found by three estimates of the clean samples, for which a
 network of the host's is called and a guidance callback is not, after a diffuse_model_trim(): not while others are
 in a hurry. Of a pipeline all is encoded, and a tile decoded. As diffuse_job_new() and diffuse_job_step(); `cancel`
 as for diffuse_model_denoise().
 */
int32_t diffuse_request_cost(const struct diffuse_request *request,
                             const struct diffuse_model *model,
                             const struct diffuse_cancel *cancel,
                             struct diffuse_cost *cost);

/*
 Frees a request. NULL is fine.
 */
void diffuse_request_free(struct diffuse_request *request);

/*
 The seed of the first item; item i has seed + i, wrapping.
 */
int32_t diffuse_request_set_seed(struct diffuse_request *request, uint64_t seed);

/*
 How many items are drawn at once.
 */
int32_t diffuse_request_set_count(struct diffuse_request *request, size_t count);

/*
 The class of every item, `count` of them, which becomes the number of items; a number that is set later has to
 agree. They are copied. Without classes a model that has a null class draws every item with that one, and a model
 that has none refuses the job.
 */
int32_t diffuse_request_set_classes(struct diffuse_request *request,
                                    const int64_t *classes,
                                    size_t count);

/*
 The class of item `item` by its name (or number, or "none" for the null class), or with DIFFUSE_ALL_ITEMS that of
 all of them: as diffuse_request_set_prompt(), in place of diffuse_request_set_classes(). Whether the model has such
 a class shows when a job is made, which may open the model first. Classes of single items need as many items
 (diffuse_request_set_count()). NULL takes all of them back.
 */
int32_t diffuse_request_set_class(struct diffuse_request *request,
                                  int64_t item,
                                  const char *name);

/*
 The class that guidance leads away from, likewise, in place of diffuse_request_set_negative_classes().
 */
int32_t diffuse_request_set_negative_class(struct diffuse_request *request,
                                           int64_t item,
                                           const char *name);

/*
 The shape of one item, for a model that leaves it free (0 in diffuse_model_shape() where its manifest says so too,
 and no condition says how long that is). It is copied.
 */
int32_t diffuse_request_set_shape(struct diffuse_request *request,
                                  const size_t *axes,
                                  size_t rank);

/*
 Sets the option `key` to `value`, as text. The options are listed below the description of this header.

 DIFFUSE_ARGUMENT if there is no such option or if it cannot have this value. Whether it fits the model, the solver
 and the other options shows when a job is made.
 */
int32_t diffuse_request_set(struct diffuse_request *request,
                            const char *key,
                            const char *value);

/*
 As diffuse_request_set(), with a number.
 */
int32_t diffuse_request_set_number(struct diffuse_request *request, const char *key, double value);

/*
 Sets what the text of a scheduler_config.json of diffusers says of sampling: the solver, the grid and their options,
 but not the number of steps. What was set before is replaced. DIFFUSE_ARGUMENT if it is no such text, with the field
 that is not understood; a job cannot be made with a model that was trained on another schedule.
 */
int32_t diffuse_request_set_scheduler_config(struct diffuse_request *request,
                                             const char *json);

/*
 Says in `*departures` where diffusers does otherwise than this request with the scheduler's configuration that it
 was given, and which fields of that are ignored: a line each, an empty string for none. With the option compat at
 "diffusers" it is what is otherwise all the same, with the reason. The string lives until the next call for this
 request, or until that is freed.
 */
int32_t diffuse_request_departures(struct diffuse_request *request,
                                   const char **departures);

/*
 Takes back what the option `key` is set to, also by diffuse_request_set_scheduler_config(): it is then what it is
 where nobody says anything. DIFFUSE_ARGUMENT if there is no such option.
 */
int32_t diffuse_request_unset(struct diffuse_request *request,
                              const char *key);

/*
 The options that diffuse_request_set() takes, for an interface that shows them without knowing them: a JSON array
 with an object for each, in the order in which they are to be shown. It has `name`; `group`, the heading that it
 stands under; `kind`, which is "boolean", "integer", "number", "choice", "text" or "numbers"; `minimum` and
 `maximum`, where there are bounds; `choices`, the words of a choice, and for most choices `meanings`, a sentence for
 each; `default`, where that is a value whatever the model is, and `default_text`, which says what it depends on;
 `text`, what it is for; and `solvers`, those that have it, where it is not for all. The string lives as long as the
 library.
 */
const char *diffuse_options(void);

/*
 What is to be drawn, in words: `prompt` for item `item`, or with DIFFUSE_ALL_ITEMS for all of them, which forgets
 what was set for single ones. Those of single ones are set in their order. For a model that reads text; of a prompt
 that is longer than it reads the rest is not seen, and the log sink hears so. Where there are prompts for single
 items there has to be one for each. NULL takes all of them back. A library that was built without the feature "text"
 refuses it with DIFFUSE_ARGUMENT.
 */
int32_t diffuse_request_set_prompt(struct diffuse_request *request,
                                   int64_t item,
                                   const char *prompt);

/*
 What guidance leads away from, in words, likewise. NULL, and none at all, is what the model's family has for it: an
 empty text, or nothing.
 */
int32_t diffuse_request_set_negative_prompt(struct diffuse_request *request,
                                            int64_t item,
                                            const char *prompt);

/*
 What a text encoder of the host's own has made of the prompts, instead of them: `tokens` vectors of `width` values
 for each of `items` items, which is 1 for all or their number, one after the other; and where the model takes one a
 vector of `pooled_width` values for each in `pooled`, else NULL and 0. They are copied. `negative` is 0, or 1 for
 what guidance leads away from. They are the model's conditions encoder_hidden_states and text_embeds; a model that
 calls them something else takes them by diffuse_request_set_condition(). `embeddings` NULL takes them back.
 */
int32_t diffuse_request_set_embeddings(struct diffuse_request *request,
                                       const float *embeddings,
                                       size_t items,
                                       size_t tokens,
                                       size_t width,
                                       const float *pooled,
                                       size_t pooled_width,
                                       int32_t negative);

/*
 What guidance (the option guidance_scale) leads away from: one class for all items, or one for each, `count` in all.
 They are copied. The model's null class unless set.
 */
int32_t diffuse_request_set_negative_classes(struct diffuse_request *request,
                                             const int64_t *classes,
                                             size_t count);

/*
 What else the network is given, by its name in the model's manifest: values of the type `element`, one of the
 DIFFUSE_ELEMENT_ numbers, in the shape of the `rank` axes: that of one item for all, or items first. They are
 copied. The type need not be the graph's, but the graph's has to have the numbers. One axis may stand for all: a
 list of values is as many items as it is long; and `rank` 0 is one number. `negative` is 0, or 1 for what guidance
 leads away from. `values` NULL takes it back.
 */
int32_t diffuse_request_set_condition(struct diffuse_request *request,
                                      const char *name,
                                      int32_t element,
                                      const void *values,
                                      const size_t *axes,
                                      size_t rank,
                                      int32_t negative);

/*
 A classifier (a model whose prediction is class_gradient) that leads the samples to classes by its numbers, one for
 all items or one for each, `count` in all. The classes are copied, and the classifier may be freed afterwards. NULL
 takes a classifier back.
 */
int32_t diffuse_request_set_classifier(struct diffuse_request *request,
                                       const struct diffuse_model *classifier,
                                       const int64_t *classes,
                                       size_t count);

/*
 Sets the host's own guidance: a callback that sees every estimate of the clean samples before it is used, and may
 change it. It is called with `user_data`; NULL takes it back. Both have to stay valid for as long as there are jobs
 of this request. Jobs that different threads step call it at once.
 */
int32_t diffuse_request_set_guidance_callback(struct diffuse_request *request,
                                              diffuse_callback callback,
                                              void *user_data);

/*
 The same with a function that lets go of `user_data`, once neither the request nor a job of it calls the callback
 any more.
 */
int32_t diffuse_request_set_guidance_callback_owned(struct diffuse_request *request,
                                                    diffuse_callback callback,
                                                    void *user_data,
                                                    diffuse_release release);

/*
 Clean samples to start from, `length` values, of one item for all or of every item one after the other; they are
 copied. The run starts from them with the noise of its first level, and the option strength says how many of the
 steps it has. With a mask they are what is kept, with the option invert what is inverted. diffuse_model_values()
 makes them of pixels. For a folder they are red, green and blue planes of pixels from -1 to 1, of the picture's
 size: the options width and height, or the usual one. NULL takes them back.
 */
int32_t diffuse_request_set_image(struct diffuse_request *request,
                                  const float *values,
                                  size_t length);

/*
 Where the image is drawn anew (1), kept (0), or mixed: `length` values, height*width for all of the items or for
 each of them, one after the other, the same for all channels. They are copied. A model that is given the mask does
 with it what it was trained to. NULL takes it back.
 */
int32_t diffuse_request_set_mask(struct diffuse_request *request,
                                 const float *values,
                                 size_t length);

/*
 Loads ONNX Runtime (1.24 or newer) and starts it, or refers to the one that this process has started already.

 `path` is its shared library, or the folder that the library lies in. NULL takes what the environment variable
 ORT_DYLIB_PATH names, else the library beside this one, else that beside the program, else, except on Windows, that
 in the system's folders, and at last what the system's loader finds by its bare name: in an Android package, through
 LD_LIBRARY_PATH, and through the rpath of the module that this library is in.

 Call it before other threads read or change environment variables: it sets ORT_DISABLE_TELEMETRY=1 unless that
 variable is set, since ONNX Runtime's official builds send telemetry otherwise.

 DIFFUSE_RUNTIME if there is none, or another one is already running. On success `*runtime` is to be freed with
 diffuse_runtime_free(); on failure it is NULL.
 */
int32_t diffuse_runtime_open(const char *path,
                             struct diffuse_runtime **runtime);

/*
 Takes the ONNX Runtime (1.24 or newer) that the program has already, linked into it or loaded: `base` is what its
 OrtGetApiBase() returns. No file is looked for: for systems without one, such as iOS and consoles, and for programs
 that use ONNX Runtime besides. It has to stay loaded for as long as the process lives. There is one environment of
 ONNX Runtime in a process: a host that wants its own logger or thread pools makes that before, and it stays as it
 is, but for its telemetry, which is turned off; no environment variable is set. Otherwise as diffuse_runtime_open();
 diffuse_runtime_path() is "the host's".
 */
int32_t diffuse_runtime_of_host(const void *base,
                                struct diffuse_runtime **runtime);

/*
 Frees a handle. NULL is fine.
 */
void diffuse_runtime_free(struct diffuse_runtime *runtime);

/*
 The file that was loaded; NULL if `runtime` is none. The string lives as long as the handle.
 */
const char *diffuse_runtime_path(const struct diffuse_runtime *runtime);

/*
 Its version, such as "1.31.1"; NULL if `runtime` is none. The string lives as long as the handle.
 */
const char *diffuse_runtime_version(const struct diffuse_runtime *runtime);

/*
 The names of the execution providers that it was built with, separated by commas; NULL if `runtime` is none. Whether
 one works is known when a model is opened: it may lack libraries, a driver or a device. The string lives as long as
 the handle.
 */
const char *diffuse_runtime_providers(const struct diffuse_runtime *runtime);

/*
 The name of a status, such as "DIFFUSE_ARGUMENT"; "unknown" for numbers that are none. The string is static.
 */
const char *diffuse_status_name(int32_t status);

/*
 The library's version, such as "0.1.0". The string is static.
 */
const char *diffuse_version(void);

/*
 The library's version as a number, as DIFFUSE_VERSION.
 */
uint32_t diffuse_version_number(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* DIFFUSE_H */
