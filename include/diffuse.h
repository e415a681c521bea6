/* diffuse: draws samples from diffusion models. This header is generated from the library's source. Do not edit it.
 *
 * The host is the program that calls the library. Most functions return a status: DIFFUSE_OK (0), or a code that states
 * what the caller can do. diffuse_error_message() then returns what went wrong. A function that fails changes nothing,
 * except the outputs that it is described to clear.
 *
 * Functions with _new or _open in their names make handles, and _free frees them. Freeing NULL is fine. A handle must
 * not be used after it was freed. The library detects such a use, and a handle of another type, where it can. It then
 * returns DIFFUSE_ARGUMENT.
 *
 * Several threads may use a handle at once in calls that take it as `const`. Any other call needs the handle for
 * itself. diffuse_job has rules of its own. The library has no other state than ONNX Runtime and the log sink.
 *
 * A pointer must be valid or NULL. NULL is DIFFUSE_ARGUMENT unless it is allowed. Strings are UTF-8 and end in a zero
 * byte, and the library copies those that it keeps. Buffers belong to the caller and are not kept.
 *
 * A time t is one of the model's training, and 0 is the cleanest. alpha and sigma are the shares of the clean sample
 * and of the noise: `x = alpha*x0 + sigma*noise`.
 *
 * Once loaded, the library stays in the process, as ONNX Runtime does. dlclose() does not unload it, nor a plugin that
 * it is linked into. Opening it again goes on with the same one.
 *
 * A call returns DIFFUSE_MEMORY if the system has no memory for a tensor. If it has none for small things, the process
 * ends, as with most libraries.
 *
 * Bad input never crashes. No function writes to stdout or stderr, exits, or installs a signal handler.
 *
 * At the end of the process, the library cancels what is running, in jobs and in calls of other threads. It waits for
 * that, for 12 seconds at most. On Windows it does not, since its threads are gone by then. A process that ends by
 * _exit() or a signal needs none of this.
 *
 * After fork(), the child must not use the parent's handles. Freeing one does nothing there. Every other call of it
 * returns DIFFUSE_ARGUMENT, or NULL or 0 if the function returns no status. The child may open handles of its own,
 * beginning with diffuse_runtime_open(). There, that call refers to the ONNX Runtime that the parent has loaded. The
 * child has no log sink until it sets one.
 *
 * fork() waits while other threads open ONNX Runtime or a model, or evaluate a model for the first time. It waits for a
 * second at most. In a child for which that was too short, diffuse_runtime_open() returns DIFFUSE_RUNTIME.
 *
 * Every call works in the usual floating-point environment: it rounds to nearest, flushes nothing to zero, and makes no
 * exception a signal. It then restores the host's environment. A callback is called in the host's environment. On a
 * worker, that is the environment of the thread that started the worker.
 *
 * These are the options of diffuse_request_set().
 *
 * Sampling:
 *
 *     solver: ddpm, ddim, euler, euler-ancestral, heun, dpm2, lms, pndm, dpm-solver, dpm-solver-singlestep, dpm-solver-2s, deis, unipc, sa-solver, lcm, tcd, consistency, euler-ancestral-rf, gradient-estimation, reverse-sde, langevin, rk45
 *         The solver. Default: the model's.
 *
 *     steps: a whole number from 1
 *         The number of steps, at most the number of training steps. Default: the model's.
 *
 *     grid: leading, trailing, linspace, simple, sgm-uniform, beta, crash, lcm, karras, exponential, beta-sigma
 *         How the steps are spread over the training steps. Default: the model's.
 *         - leading: Multiples of floor(T/N) from 0 up. They stop short of the noisiest training step.
 *         - trailing: Strides of T/N back from the last training step.
 *         - linspace: Evenly spaced timesteps, with both ends.
 *         - simple: The training steps floor(i*T/N) from the noisy end (ComfyUI's "simple").
 *         - sgm-uniform: Evenly spaced timesteps from the noisy end, without the clean end (Stability's generative-models).
 *         - beta: Timesteps by the quantiles of Beta(0.6, 0.6), with more at both ends (Lee et al. 2024, "Beta Sampling is All You Need").
 *         - crash: Times whose noise on the circle is sin^2(pi*u/2), for evenly spaced u (Dance Diffusion's crash schedule). For schedules in continuous time.
 *         - lcm: Evenly spaced picks of the original_steps that a consistency model was distilled on (Luo et al. 2023, "Latent Consistency Models").
 *         - karras: Evenly spaced (sigma/alpha)^(1/rho) (Karras et al. 2022, equation 5).
 *         - exponential: Evenly spaced ln(sigma/alpha), which is evenly spaced lambda. Lu et al. 2022 call it logSNR steps, k-diffusion "exponential".
 *         - beta-sigma: sigma/alpha by the quantiles of Beta(0.6, 0.6), as in diffusers.
 *
 *     clipping: model, off, on, keep-noise, dynamic
 *         Whether the denoised sample x0 is clipped to the data's range at every step. Default: model.
 *         - model: As the manifest sets it.
 *         - off: Never.
 *         - on: At every step, to the manifest's range. eps is computed from the clipped x0.
 *         - keep-noise: At every step, to the manifest's range. eps stays as predicted.
 *         - dynamic: At every step, by dynamic thresholding (Saharia et al. 2022). For a range of -1 to 1.
 *
 *     compat: papers, diffusers
 *         The arithmetic to follow where diffusers departs from the papers. Default: papers.
 *         - papers: The arithmetic of the papers.
 *         - diffusers: The arithmetic of diffusers, for pictures equal to those of its pipelines. Tables are rounded to f32, and eps comes from the unclipped x0. DDIM moves by floor(T/N) training steps on every grid.
 *
 *     noise: counter, torch, torch-per-item
 *         The generator of the noise. Default: counter.
 *         - counter: diffuse's own generator. An item's noise depends on its seed and the step alone.
 *         - torch: One generator of torch for the batch, like torch.Generator().manual_seed(seed) in a pipeline of diffusers.
 *         - torch-per-item: One generator of torch for each item, like a list of generators with the seeds seed, seed + 1 and so on.
 *
 * Start:
 *
 *     invert: 0 or 1
 *         1 inverts an image by ddim: the result is the noise that the image would be generated from. A later run can start from that noise. Default: 0.
 *
 *     strength: a number from 0 to 1
 *         The share of the steps that is run. A smaller share starts with less noise and stays nearer to the image. Default: 1 (0.8 from an image without a mask or inversion, 0.3 there with SDXL and compat "diffusers", 0.9999 with a mask and both of these).
 *
 *     strength_of: steps, original
 *         The steps that strength is a share of. Default: steps (original for folders of latent consistency models).
 *         - steps: The grid's steps. The first of them are left out.
 *         - original: The original steps, for the lcm grid. The noisiest of them are left out, and the same number of steps is spread over the rest. The pipelines of latent consistency models work so.
 *
 *     seeds: 1 to 10000 numbers, separated by commas
 *         The seed of each item, in place of seed, seed + 1 and so on. With noise torch-per-item they are the seeds of the generators.
 *
 *     interpolate_to: a whole number from 0
 *         The seed of the last item's starting noise. The starts of the items between are spread evenly from the first item's noise to that. All other noise is the first item's.
 *
 *     variation_seed: a whole number from 0
 *         The seed of variations of the first item. Item i starts from the first item's noise, moved toward the noise of variation_seed + i. variation_strength sets how far.
 *
 *     variation_strength: a number from 0 to 1
 *         How far variations start from the first item's noise. 0 is the same noise, and 1 has none of it. Default: 0.2.
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
 *         The side in pixels of the tiles that a picture is encoded and decoded in. Tiles bound the memory. 0 is no tiles, as with compat "diffusers". Default: the autoencoder's own size, for pictures with a side above 1024 pixels.
 *
 *     paste: 0 or 1
 *         Whether the pixels that a mask keeps are copied into the decoded picture. Default: 1 (0 with compat "diffusers").
 *
 *     weights: off, a1111, a1111-no-norm
 *         How brackets in a prompt are read. For CLIP's text encoders. Default: off.
 *         - off: As a part of the text.
 *         - a1111: As weights in the syntax of Stable Diffusion web UI. (x) is 1.1 times as strong, (x:1.3) is 1.3 times as strong, and x in square brackets is 1.1 times as weak. The embeddings keep their mean. BREAK begins another chunk.
 *         - a1111-no-norm: As a1111, but the embeddings do not keep their mean.
 *
 *     long_prompts: truncate, chunks
 *         How a prompt is read that is longer than the text encoder's context. For CLIP's text encoders. Default: truncate.
 *         - truncate: The rest is cut off, and the log reports it.
 *         - chunks: The prompt is encoded in chunks. Their embeddings are concatenated, as in Stable Diffusion web UI.
 *
 *     image_guidance_scale: a number from 0 to 1000
 *         The guidance scale toward the image, for models that edit an image by an instruction. Below 1 there is no guidance. Default: 1.5.
 *
 * Grid:
 *
 *     steps_offset: a whole number from 0
 *         The offset that is added to the timesteps of the leading grid. Default: the model's, else 0.
 *
 *     ending: clean, first, level
 *         The noise level that the run ends at. Default: the model's, else clean.
 *         - clean: The clean sample (alpha = 1, sigma = 0).
 *         - first: The least noisy training level, t = 0, as in Stable Diffusion's configuration.
 *         - level: The last level of the grid itself. It is not evaluated, and no jump to the clean sample follows.
 *
 *     rho: a number from 0.1 to 100
 *         The exponent rho of the karras grid. Default: the model's, else 7.
 *
 *     sigma_min: a number from 0.000000001 to 1000000000
 *         The smallest sigma/alpha (t for flow matching) of the grids over noise. Default: the model's, else the schedule's.
 *
 *     sigma_max: a number from 0.000000001 to 1000000000
 *         The largest sigma/alpha (t for flow matching) of the grids over noise. Default: the model's, else the schedule's.
 *
 *     original_steps: a whole number from 1 to 1000000
 *         The number of distillation steps, for the lcm grid. Default: the model's, else 50.
 *
 *     shift: a number from 0.001 to 1000
 *         The shift s of times toward noise, for flow matching: s*t/(1 + (s-1)*t). diffusers' dynamic shift is e^mu. Default: the model's, else 1.
 *
 *     shift_terminal: a number from 0 to 0.999
 *         The last evaluated time on the straight path, after the shift. The times before it are stretched to match.
 *
 *     mu: a number from -20 to 20
 *         mu of diffusers' dynamic shift, in place of shift. The shift is e^mu, or mu itself where a scheduler's configuration sets that.
 *
 *     tokens: a whole number from 1 to 4294967296
 *         The number of tokens of an image. A scheduler's configuration with a dynamic shift computes mu from it.
 *
 *     mu_rule: linear, empirical
 *         How mu is computed from tokens. Default: the model's, else linear.
 *         - linear: On the line between the configuration's base_shift and max_shift.
 *         - empirical: By the number of steps as well, as in FLUX.2's pipeline.
 *
 *     lambda_min: a number from -100 to 100
 *         The smallest lambda = ln(alpha/sigma) of a grid over times. The grid begins at the last training step that has as much. Lu et al. 2022 take -5.1 for cosine schedules.
 *
 * Explicit noise levels:
 *
 *     timesteps: 1 to 10000 numbers, separated by commas
 *         The timesteps to evaluate, noisiest first. They replace grid and steps.
 *
 *     sigmas: 1 to 10000 numbers, separated by commas
 *         The sigma/alpha (t for flow matching) to evaluate, noisiest first. They replace grid and steps. The final 0 may be included.
 *
 * Guidance:
 *
 *     guidance_scale: a number from -1000 to 1000
 *         The scale s of classifier-free guidance. 1 is the condition alone, 0 is the negative condition alone, and 2 to 8 are usual. Default: the model's, else 1.
 *
 *     guidance_scales: 1 to 10000 numbers, separated by commas
 *         The guidance scale of every step, in place of guidance_scale. With guidance_form plain, a step of scale 1 takes one evaluation.
 *
 *     guidance_sigma_min: a number from 0 to 1000000000
 *         The smallest sigma/alpha (t for flow matching) that is guided. Default: the model's, else 0.
 *
 *     guidance_sigma_max: a number from 0 to 1000000000
 *         The largest sigma/alpha (t for flow matching) that is guided. Default: the model's, else no bound.
 *
 *     guidance_rescale: a number from 0 to 1
 *         How far the standard deviation of the guided prediction is brought back to that of the unguided one (Lin et al. 2023). Default: the model's, else 0.
 *
 *     guidance_form: plain, apg, cfg++
 *         How the prediction c with the condition and the prediction u with the negative condition are combined. Default: the model's, else plain.
 *         - plain: x0 = u + s*(c - u) (Ho & Salimans 2022).
 *         - apg: c + (s - 1)*Delta (Sadat et al. 2024). Delta is c - u with momentum, a bounded norm, and less of its part along c.
 *         - cfg++: As plain, with s from 0 to 1 and eps from u (Chung et al. 2024, arXiv:2406.08070). For ddim, euler, euler-ancestral and tcd.
 *
 *     guidance_space: output, denoised
 *         The values that apg and guidance_rescale work on. diffusers uses the output for both. Default: the model's, else denoised (output for guidance_rescale).
 *         - output: The network's output.
 *         - denoised: The denoised sample x0.
 *
 *     guidance_momentum: a number from -0.999 to 0.999
 *         beta of apg: the weight of the previous step. Default: the model's, else -0.5.
 *
 *     guidance_parallel: a number from -10 to 10
 *         eta of apg: how much of the difference along c is kept. Default: the model's, else 0.
 *
 *     guidance_norm: a number from 0.000000001 to 1000000000
 *         r of apg: the largest norm of an item's difference. Default: the model's, else no bound.
 *
 *     guidance_pairing: auto, batched, sequential
 *         How the two evaluations of guidance are run. Default: the model's, else auto.
 *         - auto: As one batch of twice the size. One after the other where the graph's batch is fixed or the batch has more than 16 items. Always as a pair where the graph's batch is the pair of guidance.
 *         - batched: As one batch of twice the size.
 *         - sequential: One after the other, except in a graph whose batch is the pair of guidance.
 *
 * Classifier guidance:
 *
 *     classifier_scale: a number from -1000000 to 1000000
 *         The scale of a classifier's gradient. Default: 1.
 *
 *     classifier_form: auto, mean, noise
 *         How a classifier's gradient moves the sample. Default: auto.
 *         - auto: mean for DDPM, noise for the other solvers.
 *         - mean: The mean of a step moves by s*Sigma*grad log p(y|x), where Sigma is the variance of the noise that the step adds. Algorithm 1, for DDPM.
 *         - noise: eps moves by -sigma*s*grad log p(y|x). Algorithm 2, for any solver.
 *
 * Dynamic clipping:
 *
 *     threshold_ratio: a number from 0 to 1
 *         The quantile of |x0| that sets the threshold of dynamic clipping. Default: the model's, else 0.995.
 *
 *     threshold_max: a number from 1 to 1000000
 *         The largest threshold of dynamic clipping. Default: the model's, else 1000000.
 *
 * Langevin corrections:
 *
 *     corrector_steps: a whole number from 0 to 10000
 *         The number of Langevin corrections at every level, before each step of the solver. Default: the model's, else 0 (10 for langevin).
 *
 *     corrector_snr: a number from 0.000001 to 1
 *         The signal-to-noise ratio r of Langevin corrections. Default: the model's, else 0.16.
 *
 *     corrector_size: noise, norms
 *         What the size e of Langevin corrections is computed from. Default: the model's, else noise.
 *         - noise: The noise level: e = 2*r^2*sigma^2.
 *         - norms: The norms of an item's noise and score: e = 2*(r*|z|/|s|)^2 (Song et al. 2021). For pictures. With few values the norms scatter, and the samples spread too wide.
 *
 * Solver options:
 *
 *     variance: posterior, beta, learned, learned-range
 *         The variance of DDPM's noise. Default: the model's, else posterior.
 *         - posterior: beta, the variance of the posterior q(x_{t-1} | x_t, x0) (equation 7). Right for data that is a single point.
 *         - beta: beta, the larger of the two. Right for data that is standard normal.
 *         - learned: The variance whose logarithm the network predicts in the second half of its output (Nichol & Dhariwal 2021, "Improved Denoising Diffusion Probabilistic Models").
 *         - learned-range: Between posterior and beta in the logarithm, where the network predicts (equation 15 of that paper).
 *
 *     eta: a number from 0 to 1
 *         The share eta of fresh noise. 0 is deterministic, and 1 adds as much noise as DDPM. Default: the model's, else 0 (1 for euler-ancestral and euler-ancestral-rf).
 *
 *     s_churn: a number from 0 to 1000000
 *         How much noise is added before the steps, over all steps together. Default: the model's, else 0.
 *
 *     s_tmin: a number from 0 to 1000000000
 *         The smallest sigma/alpha at which noise is added. Default: the model's, else 0.
 *
 *     s_tmax: a number from 0 to 1000000000
 *         The largest sigma/alpha at which noise is added. Default: the model's, else no bound.
 *
 *     s_noise: a number from 0 to 10
 *         The standard deviation of the added noise. Default: the model's, else 1.
 *
 *     lms_order: a whole number from 1 to 4
 *         The number of slopes that a step uses. Default: the model's, else 4.
 *
 *     warmup: plms, runge-kutta, none
 *         How the first steps are taken. Default: the model's, else plms.
 *         - plms: By Heun's mean in the first step, then in rising order (Crowson's PLMS, as in Stable Diffusion). One more evaluation.
 *         - runge-kutta: Three pseudo Runge-Kutta steps (equation 13). Nine more evaluations.
 *         - none: In rising order (diffusers' IPNDM). No more evaluations.
 *
 *     algorithm: dpm-solver++, dpm-solver, sde-dpm-solver++, sde-dpm-solver
 *         What the solver expands, deterministic or in the reverse SDE. Default: the model's, else dpm-solver++.
 *         - dpm-solver++: x0 is expanded, deterministic. Right for most models, and stable with guidance.
 *         - dpm-solver: eps is expanded, deterministic.
 *         - sde-dpm-solver++: x0 is expanded, in the reverse SDE.
 *         - sde-dpm-solver: eps is expanded, in the reverse SDE. At most second order.
 *
 *     order: a whole number from 1 to 3
 *         The order of the solver. Default: the model's, else 2.
 *
 *     variant: midpoint, heun
 *         How the derivative enters a step of second order. Default: the model's, else midpoint.
 *         - midpoint: As if it were taken at the midpoint (algorithm 2 of DPM-Solver++).
 *         - heun: By the exact integral of the expansion.
 *
 *     lower_order_final: 0 or 1
 *         Whether the last steps are of lower order. Default: the model's, else 1 (0 in dpm-solver and deis with 15 steps or more).
 *
 *     euler_at_final: 0 or 1
 *         Whether the last step of dpm-solver is of first order, whatever lower_order_final is. Default: the model's, else 0.
 *
 *     midpoint_noise: 0 or 1
 *         Whether fresh noise also enters the midpoints of dpm-solver-2s. With eta = 1 this is DPM++ SDE. Default: the model's, else 0.
 *
 *     scaling: bh2, bh1
 *         The function B(h) of the UniPC paper. Default: the model's, else bh2.
 *         - bh2: B(h) = e^h - 1.
 *         - bh1: B(h) = h. For unconditional models and few steps.
 *
 *     predict_x0: 0 or 1
 *         Whether unipc expands x0 (1) or eps (0). Default: the model's, else 1.
 *
 *     disable_corrector: 1 to 10000 numbers, separated by commas
 *         The steps that unipc does not correct, counted from 0.
 *
 *     predictor_order: a whole number from 1 to 3
 *         The order of sa-solver's predictor. Default: the model's, else 2.
 *
 *     corrector_order: a whole number from 0 to 4
 *         The order of sa-solver's corrector. 0 is no corrector. Default: the model's, else 2.
 *
 *     tau: a number from 0 to 10
 *         tau of sa-solver: the share of the reverse SDE's noise. Default: the model's, else 1.
 *
 *     tau_from: a number from 0 to 1
 *         The smallest time at which tau applies, as a share of the largest time. Default: the model's, else 0.2.
 *
 *     tau_to: a number from 0 to 1
 *         The largest time at which tau applies, as a share of the largest time of all. Default: the model's, else 0.8.
 *
 *     timestep_scaling: a number from 0 to 1000000
 *         The factor of times in the boundary condition of LCM. 0 is no boundary condition. Default: the model's, else 10 (0 in continuous time).
 *
 *     gamma: a number from 0 to 1
 *         gamma of TCD. 0 is deterministic, and 1 is fully stochastic. Default: the model's, else 0.3.
 *
 *     estimation_gamma: a number from 1 to 5
 *         gamma of gradient-estimation. 1 is DDIM. Default: the model's, else 2.
 *
 *     discretization: reverse-diffusion, euler-maruyama
 *         How the reverse SDE is discretised. Default: the model's, else reverse-diffusion.
 *         - reverse-diffusion: By the forward process from level to level, reversed (appendix E).
 *         - euler-maruyama: By the rates at the beginning of each step. Not on grids that start from pure noise.
 *
 *     rtol: a number from 0.000001 to 1
 *         The tolerated error of a step of rk45 relative to the sample, which is f32. Default: the model's, else 0.0001.
 *
 *     atol: a number from 0.000000001 to 1
 *         The tolerated error of a step of rk45 beside that. Default: the model's, else 0.0001.
 *
 *     max_evaluations: a whole number from 13 to 10000000
 *         The evaluations of an item after which rk45 gives up. Default: the model's, else 10000.
 */

#ifndef DIFFUSE_H
#define DIFFUSE_H

#include <stddef.h>
#include <stdint.h>

/*
 Element type of an array: 32-bit floats.
 */
#define DIFFUSE_ELEMENT_F32 0

/*
 Element type: 16-bit floats (IEEE 754 half precision).
 */
#define DIFFUSE_ELEMENT_F16 1

/*
 Element type: 16-bit floats with the exponent of 32 bits (bfloat16).
 */
#define DIFFUSE_ELEMENT_BF16 2

/*
 Element type: 64-bit floats.
 */
#define DIFFUSE_ELEMENT_F64 3

/*
 Element type: signed 64-bit integers.
 */
#define DIFFUSE_ELEMENT_I64 4

/*
 Element type: signed 32-bit integers.
 */
#define DIFFUSE_ELEMENT_I32 5

/*
 Element type: signed 16-bit integers.
 */
#define DIFFUSE_ELEMENT_I16 6

/*
 Element type: signed 8-bit integers.
 */
#define DIFFUSE_ELEMENT_I8 7

/*
 Element type: unsigned 64-bit integers.
 */
#define DIFFUSE_ELEMENT_U64 8

/*
 Element type: unsigned 32-bit integers.
 */
#define DIFFUSE_ELEMENT_U32 9

/*
 Element type: unsigned 16-bit integers.
 */
#define DIFFUSE_ELEMENT_U16 10

/*
 Element type: unsigned 8-bit integers.
 */
#define DIFFUSE_ELEMENT_U8 11

/*
 Element type: truth values of one byte each, 0 or 1.
 */
#define DIFFUSE_ELEMENT_BOOL 12

/*
 State of a job: no worker has it, and it is not at its end. The host steps it.
 */
#define DIFFUSE_JOB_IDLE 0

/*
 State of a job: its worker is running it.
 */
#define DIFFUSE_JOB_RUNNING 1

/*
 State of a job: it is at its end, whoever has run it.
 */
#define DIFFUSE_JOB_FINISHED 2

/*
 State of a job: its worker has stopped before the end. diffuse_job_wait() returns the reason.
 */
#define DIFFUSE_JOB_STOPPED 3

/*
 State of a job: its worker has stopped before the end, because of diffuse_job_pause() or because its time was up.
 The job can be started again.
 */
#define DIFFUSE_JOB_PAUSED 4

/*
 Stage of a job: the model is opened.
 */
#define DIFFUSE_STAGE_LOADING 0

/*
 Stage of a job: it prepares the conditions and the start of the samples. Prompts are read, and images are encoded.
 */
#define DIFFUSE_STAGE_ENCODING 1

/*
 Stage of a job: it samples, or has sampled. A job that decodes goes on to the next stage.
 */
#define DIFFUSE_STAGE_SAMPLING 2

/*
 Stage of a job: a folder's autoencoder decodes the latents to pictures.
 */
#define DIFFUSE_STAGE_DECODING 3

/*
 Flag: the rows of pixels run from the bottom up (Unity), not from the top down.
 */
#define DIFFUSE_BOTTOM_UP 1

/*
 Flag: the bytes of a pixel are blue, green, red, alpha (Unreal), not red, green, blue, alpha.
 */
#define DIFFUSE_BGRA 2

/*
 All items, as the item of diffuse_request_set_prompt() and diffuse_request_set_class().
 */
#define DIFFUSE_ALL_ITEMS -1

/*
 The call succeeded.
 */
#define DIFFUSE_OK 0

/*
 An argument cannot be used. Change the call.
 */
#define DIFFUSE_ARGUMENT 1

/*
 The model or its manifest does not fit. Change the model.
 */
#define DIFFUSE_MODEL 2

/*
 ONNX Runtime is missing, too old, or did not start.
 */
#define DIFFUSE_RUNTIME 3

/*
 The network failed, or predicted something that is not a number.
 */
#define DIFFUSE_EVALUATION 4

/*
 A file could not be read. diffuse_error_path() returns which one, and diffuse_error_errno() why.
 */
#define DIFFUSE_IO 5

/*
 The job or the call was cancelled.
 */
#define DIFFUSE_CANCELLED 6

/*
 Another thread is working on the job. Wait for it.
 */
#define DIFFUSE_BUSY 7

/*
 diffuse has a bug. Free the handle involved.
 */
#define DIFFUSE_PANIC 8

/*
 A requested execution provider cannot be used. Install what it lacks, or request another one.
 */
#define DIFFUSE_PROVIDER 9

/*
 The host's own callback failed, or wrote something that is not a number.
 */
#define DIFFUSE_CALLBACK 10

/*
 The system has no memory for the call. Request less, or free something.
 */
#define DIFFUSE_MEMORY 11

/*
 The result is not there yet. Go on with the job, and call again.
 */
#define DIFFUSE_NOT_YET 12

/*
 The version of the header: major*10000 + minor*100 + patch. Compare it with diffuse_version_number(), the version of
 the library.
 */
#define DIFFUSE_VERSION 100

/*
 A handle that cancels calls from another thread. It cancels the running calls that it was passed to, and every later
 call that it is passed to. Several calls may use one handle, also at once. Jobs have diffuse_job_cancel() instead.
 */
typedef struct diffuse_cancel diffuse_cancel;

/*
 The inputs of one estimate of the clean samples. The library passes it to a callback, and it lives until the
 callback returns.
 */
typedef struct diffuse_estimate diffuse_estimate;

/*
 A job: one run, done step by step. It works on the calling thread in diffuse_job_step(), diffuse_job_run() and
 diffuse_job_advance(). After diffuse_job_start() it works on a worker thread of its own.

 Any thread may make these calls at any time: diffuse_job_poll(), _wait(), _progress(), _stage(), _expected(),
 _shape(), _error(), _estimates(), _model(), _preview(), _preview_pixels(), _pause() and _cancel(). Every other call
 returns DIFFUSE_BUSY while the job works, or while another thread is in such a call. diffuse_job_free() is the
 exception. After it, no thread may use the job any more.
 */
typedef struct diffuse_job diffuse_job;

/*
 A model: a network in ONNX Runtime and its manifest. Several threads may use it at once, and their evaluations take
 turns. Jobs keep what they need of a model, so it may be freed while they live.
 */
typedef struct diffuse_model diffuse_model;

/*
 The options for opening a model. The defaults are right for a program that does other things as well.
 */
typedef struct diffuse_model_options diffuse_model_options;

/*
 A request: what a run draws, and how. What is not set is as the model's manifest sets it. Making a job checks the
 values against each other and the model.
 */
typedef struct diffuse_request diffuse_request;

/*
 ONNX Runtime, loaded and started. A process has one. All handles refer to it, and freeing them does not stop it.
 */
typedef struct diffuse_runtime diffuse_runtime;

/*
 A function that receives log messages. `severity` is 0 (verbose), 1 (information), 2 (warning), 3 (error) or 4
 (fatal). `message` is valid during the call. The library may call the sink from any thread, also from several at
 once. The sink must not call diffuse.
 */
typedef void (*diffuse_log_sink)(int32_t severity, const char *message, void *user_data);

/*
 A function that releases `user_data`. The library calls it once, when nothing needs `user_data` any more. It runs on
 the thread that drops the last use, and also when the call fails that it was passed to. It may free handles, such as
 a model that its data holds. It must not call diffuse otherwise.
 */
typedef void (*diffuse_release)(void *user_data);

/*
 A function of the host's that the library calls for every estimate of the clean samples. As guidance
 (diffuse_request_set_guidance_callback()), it may change the estimate. As the network
 (diffuse_model_open_callback()), it makes the prediction.

 `values` holds the values of all items one after the other, `length` in all. `estimate` gives what they are made
 from. The function returns 0. Any other result ends the step with DIFFUSE_CALLBACK. The function may then write a
 text to `message`, up to `capacity` bytes with the zero at the end. The text becomes part of the error message.

 The function is called on the thread that steps the job. It may cancel and free that job, but must not step or read
 it. A job that it frees, with its callbacks and their data, lives until the step is over. Freeing another job waits
 for that job, so two jobs must not free each other in this way. The function must not unwind.

 A function that does not return holds up its job. diffuse_job_cancel() still returns, and diffuse_job_wait() returns
 after its time. diffuse_job_free() returns only after the function does.
 */
typedef int32_t (*diffuse_callback)(const struct diffuse_estimate *estimate,
                                    float *values,
                                    size_t length,
                                    char *message,
                                    size_t capacity,
                                    void *user_data);

/*
 The expected cost of a run. Set `struct_size` to sizeof(diffuse_cost) before the call. Later versions only add
 fields, at the end. A library that knows more fields than the host leaves them out. A library that knows fewer
 reports the size that it wrote, and writes nothing beyond.
 */
typedef struct diffuse_cost {
  /*
   In: the size of the struct that the host knows. Out: the size that was written.
   */
  uint32_t struct_size;
  /*
   Reserved. It is 0.
   */
  uint32_t reserved;
  /*
   How many estimates of the clean samples the run makes. With guidance, each may take two evaluations of the
   network. It is 0 for a solver that chooses its own steps.
   */
  uint64_t evaluations;
  /*
   How many bytes the run and its model hold on the CPU at one time. They are the weights, the memory of an
   evaluation, and the run's tensors. ONNX Runtime itself takes some 40 MB beside that. Weights in files beside the
   graph are not counted. Add the size of these files.
   */
  uint64_t peak_bytes;
  /*
   How long the whole run takes on this machine as it is now. That includes opening what is not open. It is 0 for a
   solver that chooses its own steps.
   */
  double milliseconds;
  /*
   The part of that time for encoding a pipeline's prompts and images. It is 0 for a model of one network. Texts
   that were read lately are not read again.
   */
  double encoding_milliseconds;
  /*
   The part of that time for decoding a pipeline's latents to pictures. It is 0 for a model of one network.
   */
  double decoding_milliseconds;
} diffuse_cost;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Evaluates the network once, for a sampling process of the host's own. It estimates the clean samples behind the
 noisy samples `x`, and writes them to `denoised`.

 Each of the two arrays holds `count` items of the model's shape, `length` values in all. Both may be the same array.
 (`t`, `alpha`, `sigma`) is the noise level of `x`. `request` sets the classes and conditions of the items, and their
 shape where the model leaves it free. Its other settings are about runs, and are ignored. `request` may be NULL for
 a model without classes and conditions.

 `cancel` may be NULL. Once it is cancelled, the call promptly returns DIFFUSE_CANCELLED, also while it waits for its
 turn. Returns DIFFUSE_EVALUATION if the network fails or predicts something that is not a number.
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
 Computes the logarithm of the density, in nats, of each of the `count` samples in `x`. It follows the
 probability-flow ODE. `x` has `length` values in all, and `log_densities` has room for `count` values.

 `directions` is the number of random directions in Hutchinson's estimate of the divergence. They are drawn with
 `seed`. 0 takes the whole trace, for points and other small items. `tolerance` is the error that a step may have,
 relative and absolute, from 1e-9 to 0.1. A usual value is 1e-5. `request` and `cancel` are as for
 diffuse_model_denoise().

 The result is the density of the slightly noisy sample at the least noisy level of the schedule. It takes hundreds
 of evaluations or more for each item.
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
 Computes DDPM's variational bound on the negative log-probability of each of the `count` samples in `x`. It writes
 the bounds, in bits per value, to `bits_per_dim`, which has room for `count` values. `x` has `length` values in all,
 from -1 to 1 in 256 steps.

 `variance` is the variance of the reverse process: "posterior" or "beta". For a network that predicts it, `variance`
 may also be "learned" or "learned-range". The noise is drawn with `seed`. `request` and `cancel` are as for
 diffuse_model_denoise().

 The call takes one evaluation for each training step. Returns DIFFUSE_ARGUMENT if the schedule has no training
 steps.
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
 Adds noise to clean samples: `x` becomes alpha*x0 + sigma*noise at the time `time` of the model's schedule. Each of
 the two arrays holds `count` items, `length` values in all. Both may be the same array.

 The noise is that of a run with this seed and the option noise at "counter". Item i has the noise of seed + i.
 `request` sets the shape of the items where the model leaves it free. Otherwise it may be NULL.
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
 Makes a cancel handle. Free it with diffuse_cancel_free().
 */
int32_t diffuse_cancel_new(struct diffuse_cancel **cancel);

/*
 Frees a cancel handle. NULL is fine. A call that uses the handle at the time goes on.
 */
void diffuse_cancel_free(struct diffuse_cancel *cancel);

/*
 Cancels every call that `cancel` was passed to, from any thread. These calls and every later one return
 DIFFUSE_CANCELLED. A call that waits for its turn at the model returns at once. A call that evaluates returns when
 the network's current node ends. This cannot be undone.
 */
int32_t diffuse_cancel_cancel(const struct diffuse_cancel *cancel);

/*
 Returns what went wrong in the last call that failed on this thread, in English. The message names the argument,
 file or tensor, and the remedy. It is "" if no call has failed. The string is valid until the next call that fails
 on this thread.
 */
const char *diffuse_error_message(void);

/*
 Returns the file that the last failed call on this thread could not read or write (DIFFUSE_IO). Returns NULL if that
 call failed for another reason, or if none has failed. The string is valid until the next call that fails on this
 thread.
 */
const char *diffuse_error_path(void);

/*
 Returns the system's error number for the file of diffuse_error_path(). It is errno, or the result of GetLastError()
 on Windows. Returns 0 if the system gave none.
 */
int32_t diffuse_error_errno(void);

/*
 Returns the noisy samples that the estimate is made from: `alpha*clean + sigma*noise`. diffuse_estimate_shape()
 gives their shape. They may be read during the callback. Returns NULL if `estimate` is not a valid handle.
 */
const float *diffuse_estimate_x(const struct diffuse_estimate *estimate);

/*
 Writes the noise level: the time `t` of the model's schedule, `alpha` and `sigma`. The network's own input for the
 time may be another number, which diffuse_estimate_time() gives.
 */
int32_t diffuse_estimate_level(const struct diffuse_estimate *estimate,
                               double *t,
                               double *alpha,
                               double *sigma);

/*
 Writes the step of the run, counted from 0, and the number of items. A solver that takes several estimates per step
 gives each the same step. A solver that chooses its own steps takes one item at a time. Guidance takes a guided and
 an unguided estimate of each item. A network then gets twice the request's items at once, or both halves in turn.
 */
int32_t diffuse_estimate_step(const struct diffuse_estimate *estimate,
                              size_t *step,
                              size_t *items);

/*
 Writes the shape of the samples, batch first. The parameters are as for diffuse_model_shape(). For a model that
 leaves the shape free, it is the request's.
 */
int32_t diffuse_estimate_shape(const struct diffuse_estimate *estimate,
                               size_t *axes,
                               size_t capacity,
                               size_t *rank);

/*
 Writes the network's input for the time. The manifest defines how it follows from the noise level. Returns
 DIFFUSE_ARGUMENT in a guidance callback.
 */
int32_t diffuse_estimate_time(const struct diffuse_estimate *estimate,
                              double *time);

/*
 Writes the address of the network's input for the samples to `*values`, and its number of values to `*length`. The
 manifest defines how the samples are scaled. Conditions that are joined to the samples come before or behind them,
 item by item. The values may be read during the callback. Returns DIFFUSE_ARGUMENT in a guidance callback.
 */
int32_t diffuse_estimate_input(const struct diffuse_estimate *estimate,
                               const float **values,
                               size_t *length);

/*
 Returns the class of every item. The classes may be read during the callback. Returns NULL for a model without
 classes, or if `estimate` is not a valid handle.
 */
const int64_t *diffuse_estimate_classes(const struct diffuse_estimate *estimate);

/*
 Writes the values, the type and the shape of the condition that the manifest calls `name`. Returns DIFFUSE_ARGUMENT
 if there is none of that name.

 `*values` becomes the address of the values, which may be read during the callback. `axes`, `capacity` and `rank`
 receive the shape as in diffuse_estimate_shape(). Items come first, unless one condition is for all of them.

 `*element` becomes a type that holds the numbers of the graph's type. It is DIFFUSE_ELEMENT_F32 for floats of 16 and
 32 bits, DIFFUSE_ELEMENT_F64 for floats of 64 bits, or DIFFUSE_ELEMENT_I64 for integers and truth values. For a
 network of the host's own, it is a type that holds the numbers of the request's type.
 */
int32_t diffuse_estimate_condition(const struct diffuse_estimate *estimate,
                                   const char *name,
                                   int32_t *element,
                                   const void **values,
                                   size_t *axes,
                                   size_t capacity,
                                   size_t *rank);

/*
 Sets `*cancelled` to 1 if the job was cancelled, else to 0. A network that takes long may then return early, with
 any values. Returns DIFFUSE_ARGUMENT in a guidance callback.
 */
int32_t diffuse_estimate_is_cancelled(const struct diffuse_estimate *estimate,
                                      int32_t *cancelled);

/*
 Makes a job that draws `request` from `model`. Both may be freed or changed afterwards. Returns DIFFUSE_ARGUMENT if
 a field of the request does not fit, and the message names it. On success, free `*job` with diffuse_job_free(). On
 failure, `*job` is NULL.
 */
int32_t diffuse_job_new(const struct diffuse_model *model,
                        const struct diffuse_request *request,
                        struct diffuse_job **job);

/*
 Makes a job that opens its model when it is first stepped or started. A worker can so do all of the work. `path`,
 `options` and `request` are as for diffuse_model_open() and diffuse_job_new(). They may be freed or changed
 afterwards, but the user data of callbacks must stay valid.

 The step, or diffuse_job_wait(), reports what is wrong with them, and can be tried again. Cancelling the job ends
 the opening where ONNX Runtime checks for that. It does not end an execution provider's compiling.

 `runtime` may be NULL. The worker then opens the ONNX Runtime that diffuse_runtime_open() finds by itself, which
 takes longer than a frame. In that case this call sets ORT_DISABLE_TELEMETRY=1, unless that variable is set. Make
 the first such call before other threads read or change environment variables.

 `request` may be NULL. The job then opens the model and is at its end. diffuse_job_model() gives the model.

 Until the model is open, calls that need its samples return DIFFUSE_NOT_YET, also diffuse_job_restore().
 diffuse_job_advance() with a time of 0 opens the model and makes one step. A host that needs the model's sizes and
 classes before that uses diffuse_model_open() instead.
 */
int32_t diffuse_job_open(const struct diffuse_runtime *runtime,
                         const char *path,
                         const struct diffuse_model_options *options,
                         const struct diffuse_request *request,
                         struct diffuse_job **job);

/*
 Makes a job as diffuse_job_open() does, for a model from the `length` bytes of its file. The bytes are copied.
 */
int32_t diffuse_job_open_bytes(const struct diffuse_runtime *runtime,
                               const uint8_t *bytes,
                               size_t length,
                               const struct diffuse_model_options *options,
                               const struct diffuse_request *request,
                               struct diffuse_job **job);

/*
 Writes another handle of the job's model to `*model`, also of a model that the job has opened itself. Free it with
 diffuse_model_free(), before the job or after it. Returns DIFFUSE_NOT_YET before the model is open. Any thread may
 call it.
 */
int32_t diffuse_job_model(const struct diffuse_job *job,
                          struct diffuse_model **model);

/*
 Cancels a job and frees it. NULL is fine. The call waits for a step that another thread is in, which ends soon. In a
 callback of the job itself, the job is freed when the current step is over. The callback may not use it any more.
 */
void diffuse_job_free(struct diffuse_job *job);

/*
 Starts the run from `x` instead of from random noise. `x` holds the noisy samples at the first level of the run,
 `length` values in all. Call it before the first step. The values are copied. Returns DIFFUSE_ARGUMENT for a job of
 a folder.
 */
int32_t diffuse_job_start_from(struct diffuse_job *job,
                               const float *x,
                               size_t length);

/*
 Does one step: one estimate of the clean samples, and every move that it allows. `*finished` becomes 1 with the last
 step, and is 0 before. `finished` may be NULL. Steps after the last do nothing. A step that fails leaves the samples
 as they were.

 Returns DIFFUSE_CANCELLED after diffuse_job_cancel(), and DIFFUSE_EVALUATION if the network fails.
 */
int32_t diffuse_job_step(struct diffuse_job *job,
                         int32_t *finished);

/*
 Steps the job to its end. Statuses are as for diffuse_job_step().
 */
int32_t diffuse_job_run(struct diffuse_job *job);

/*
 Steps the job for at most `microseconds`, for a host that works within a frame. It makes as many estimates as are
 expected to fit, by the times of those that the job has made. It begins none that is not expected to fit. A job that
 has made no estimate makes one. After diffuse_job_open() it also opens its model.

 If no estimate fits, the call does nothing and returns DIFFUSE_OK. With a time that is too short for any step, the
 run does not come to its end. The log sink (diffuse_log_set()) receives one message about that for each job. On a
 slow or busy machine, pass the greater of the frame's time and the time that diffuse_job_expected() gives. Or draw
 fewer items, or start a worker.

 An evaluation is not cut short. If the last one takes longer than expected, the call takes longer by the difference.
 `finished` and the statuses are as for diffuse_job_step().
 */
int32_t diffuse_job_advance(struct diffuse_job *job,
                            uint64_t microseconds,
                            int32_t *finished);

/*
 Writes the expected time of the job's next step to `*microseconds`. It is the time of the longest of the latest
 steps, and 0 before the first. diffuse_job_advance() with that time makes a step. Any thread may call it.
 */
int32_t diffuse_job_expected(const struct diffuse_job *job,
                             uint64_t *microseconds);

/*
 Runs the job to its end on a thread of its own, named "diffuse job", and returns at once. Meanwhile, calls that step
 or read the job return DIFFUSE_BUSY. diffuse_job_poll(), diffuse_job_wait(), diffuse_job_progress(), the previews
 and diffuse_job_cancel() work from any thread. Callbacks are called on the worker. A job that has stopped can be
 started again.

 Returns DIFFUSE_CANCELLED if the job was cancelled. Returns DIFFUSE_BUSY if it runs already, or if another thread is
 in a call of it. Returns DIFFUSE_RUNTIME if the system refuses a thread.
 */
int32_t diffuse_job_start(struct diffuse_job *job);

/*
 Starts the job as diffuse_job_start() does, for at most `microseconds`: a deadline. The time counts as in
 diffuse_job_advance(). When it is up, the preview is the best estimate that could be made within it. The job is then
 DIFFUSE_JOB_PAUSED, or DIFFUSE_JOB_FINISHED if it had time to spare. An evaluation is not cut short.
 */
int32_t diffuse_job_start_for(struct diffuse_job *job,
                              uint64_t microseconds);

/*
 Lets the job's worker end after its current step, without waiting for it. Any thread may call it. diffuse_job_wait()
 waits for the worker, and then finds the job DIFFUSE_JOB_PAUSED or DIFFUSE_JOB_FINISHED. The job can then be read,
 kept with diffuse_job_snapshot(), stepped, and started again. For a job that is not running, this call does nothing.
 */
int32_t diffuse_job_pause(const struct diffuse_job *job);

/*
 Writes the state of the job to `*state`: DIFFUSE_JOB_IDLE, _RUNNING, _FINISHED, _STOPPED or _PAUSED. It does not
 wait. Any thread may call it.
 */
int32_t diffuse_job_poll(const struct diffuse_job *job,
                         int32_t *state);

/*
 Waits until the job's worker has ended, for at most `milliseconds`. `*state` becomes the state that
 diffuse_job_poll() then gives. Any thread may wait, except the worker itself.

 Returns how the run ended. The status is DIFFUSE_OK also if the job is still running or was not started. It is
 DIFFUSE_CANCELLED after diffuse_job_cancel(), also before the start. Other statuses are as for diffuse_job_step().
 */
int32_t diffuse_job_wait(const struct diffuse_job *job,
                         uint64_t milliseconds,
                         int32_t *state);

/*
 Cancels a job, from any thread, also before it has started. The running step and every later one return
 DIFFUSE_CANCELLED, as soon as the network's current node ends. OpenVINO and TensorRT make one node of all that they
 take. There, the evaluation ends first. This cannot be undone.
 */
int32_t diffuse_job_cancel(const struct diffuse_job *job);

/*
 Writes how many steps of sampling are done, and how many there are in all. Both are 0 before the model is open. A
 job of a folder encodes before the first step and decodes after the last. diffuse_job_stage() reports that. Any
 thread may call it.
 */
int32_t diffuse_job_progress(const struct diffuse_job *job,
                             size_t *step,
                             size_t *steps);

/*
 Writes to `*estimates` how many estimates of the samples there have been for diffuse_job_preview(). If the number is
 the same as in the last frame, a host has nothing new to upload. Samples restored from a snapshot count as one. Any
 thread may call it.
 */
int32_t diffuse_job_estimates(const struct diffuse_job *job,
                              uint64_t *estimates);

/*
 Writes the stage of the job to `*stage`: DIFFUSE_STAGE_LOADING, _ENCODING, _SAMPLING or _DECODING. `*total` becomes
 the number of pieces of work in that stage, and `*done` the number of those that are done. In sampling, these are
 the steps. Any thread may call it.
 */
int32_t diffuse_job_stage(const struct diffuse_job *job,
                          int32_t *stage,
                          size_t *done,
                          size_t *total);

/*
 Writes the status and the message of the job's latest step that failed, on whichever thread, also its worker.
 `*status` is DIFFUSE_OK if none has failed. `message` receives as much of the message as `capacity` bytes hold, with
 the zero at the end. `message` may be NULL if `capacity` is 0. Any thread may call it.
 */
int32_t diffuse_job_error(const struct diffuse_job *job,
                          int32_t *status,
                          char *message,
                          size_t capacity);

/*
 Writes the shape of the samples, batch first. The parameters are as for diffuse_model_shape().
 */
int32_t diffuse_job_shape(const struct diffuse_job *job,
                          size_t *axes,
                          size_t capacity,
                          size_t *rank);

/*
 Copies the current samples to `values`, all items one after the other. They are noisy before the end of the run, and
 the result after it. `length` must be exactly the number of their values. For a folder, the samples are the
 pictures. They exist at the end of the run, and the call returns DIFFUSE_NOT_YET before.
 */
int32_t diffuse_job_read(const struct diffuse_job *job,
                         float *values,
                         size_t length);

/*
 Copies the current latents of a folder to `values`, all items one after the other. Latents are what the folder's
 predictor samples. Pictures are made from them at the end, and the latents stay. For a model of one network, they
 are the samples of diffuse_job_read().

 `*needed` becomes the number of their values, and `length` must be that number. With a `length` of 0 the call only
 writes `*needed`, and `values` may be NULL. Returns DIFFUSE_NOT_YET before there are any latents. A call that fails
 leaves `*needed` as it was.
 */
int32_t diffuse_job_latents(const struct diffuse_job *job,
                            float *values,
                            size_t length,
                            size_t *needed);

/*
 Draws item `item` of the samples as pixels of four bytes, for an image model. `length` is the size of `pixels` in
 bytes, at least stride*(height-1) + 4*width. Rows are `stride` bytes apart, at least 4*width. Bytes between the rows
 are left alone. `flags` is 0 or a sum of DIFFUSE_BOTTOM_UP and DIFFUSE_BGRA.

 Values are in the encoding that the model was trained on, which is usually sRGB. Alpha is straight, and is 255 where
 the image has none. Returns DIFFUSE_ARGUMENT for latents, which are no pixels before they are decoded, and for a
 tensor.
 */
int32_t diffuse_job_read_pixels(const struct diffuse_job *job,
                                size_t item,
                                uint8_t *pixels,
                                size_t length,
                                size_t stride,
                                uint32_t flags);

/*
 Writes the job as it is between two steps to `bytes`, for diffuse_job_restore(), also in another process. Uses are a
 saved game, a suspended app, and a run that branches. A snapshot holds the samples and what is kept of earlier
 steps, but not the request.

 `*length` becomes the number of bytes, and `capacity` must be at least that. With a `capacity` of 0 the call only
 writes `*length`, and `bytes` may be NULL. The snapshot notes the model's hash. Returns DIFFUSE_IO if a file of the
 model was changed since the model was opened.
 */
int32_t diffuse_job_snapshot(const struct diffuse_job *job,
                             uint8_t *bytes,
                             size_t capacity,
                             size_t *length);

/*
 Restores what diffuse_job_snapshot() wrote for a job of the same model, shape, solver, steps, grid and kind of
 noise. With the same request, the run ends with the same bits. The rest of the request may differ, for a run that
 branches off.

 The call does not trust the bytes. Returns DIFFUSE_ARGUMENT if they are no snapshot, were changed, or are from
 another run. The job is then as it was before. A job of a folder that was sampling first encodes its prompts and
 images again.
 */
int32_t diffuse_job_restore(struct diffuse_job *job,
                            const uint8_t *bytes,
                            size_t length);

/*
 Copies the latest estimate of the final samples to `values`. After the last step, it is the result. Any thread may
 call it, also while a step is running. The parameters are as for diffuse_job_read(). Returns DIFFUSE_NOT_YET before
 the first step.
 */
int32_t diffuse_job_preview(const struct diffuse_job *job,
                            float *values,
                            size_t length);

/*
 Draws item `item` of the latest estimate as pixels. Any thread may call it, also while a step is running. The
 parameters are as for diffuse_job_read_pixels().

 Latents are drawn as well, by the matrix in the manifest (sample.preview). Without a matrix, their first three
 channels are drawn, each from its least value to its greatest. Returns DIFFUSE_NOT_YET before the first step.
 */
int32_t diffuse_job_preview_pixels(const struct diffuse_job *job,
                                   size_t item,
                                   uint8_t *pixels,
                                   size_t length,
                                   size_t stride,
                                   uint32_t flags);

/*
 Sets the function that receives log messages. The library calls it with `user_data`. NULL, the default, drops the
 messages. When this call returns, the former sink is not called any more.

 Messages of ONNX Runtime begin with "ONNX Runtime: ". The others are diffuse's own. They are about something that is
 no error but may not be intended, such as a time that no step fits into. Errors of diffuse come as a status and need
 no sink.
 */
int32_t diffuse_log_set(diffuse_log_sink sink,
                        void *user_data);

/*
 Sets the log sink as diffuse_log_set() does, with a function that releases `user_data`. The library calls `release`
 once the sink is not called any more.
 */
int32_t diffuse_log_set_owned(diffuse_log_sink sink,
                              void *user_data,
                              diffuse_release release);

/*
 Makes options with the default number of threads (diffuse_model_options_set_threads()), no spinning, and the model's
 own manifest. Free them with diffuse_model_options_free().
 */
int32_t diffuse_model_options_new(struct diffuse_model_options **options);

/*
 Frees options. NULL is fine.
 */
void diffuse_model_options_free(struct diffuse_model_options *options);

/*
 Sets how many threads one evaluation uses, up to 1024. With 0 it uses one thread for each physical core, or for each
 CPU that the opening thread may use if those are fewer. If that makes more than two, it uses one less and leaves
 that core to the host. Default: 0.
 */
int32_t diffuse_model_options_set_threads(struct diffuse_model_options *options,
                                          uint32_t threads);

/*
 Sets whether idle threads spin while they wait (not 0) or sleep (0). Spinning makes evaluations that follow each
 other at once a little faster. Between other evaluations it keeps a core busy. Default: 0.
 */
int32_t diffuse_model_options_set_spinning(struct diffuse_model_options *options,
                                           int32_t spinning);

/*
 Adds the execution provider `provider`, such as "cuda", to those that evaluate the network. The file PROVIDERS.md
 beside this header lists them.

 Providers rank in the order in which they are added. The first that is available takes the nodes that it can, and
 the next ones take the rest. Without any provider, the CPU evaluates the network. A provider that is not available
 is passed over only if another one follows it. diffuse_model_placement() reports that. To fall back on the CPU, add
 "cpu" last.
 */
int32_t diffuse_model_options_add_provider(struct diffuse_model_options *options,
                                           const char *provider);

/*
 Adds an execution provider that comes as a plugin library for ONNX Runtime, at `path`. `provider` is its name in all
 further calls. The library is loaded when a model is first opened with it, and stays as long as the process.
 */
int32_t diffuse_model_options_add_provider_library(struct diffuse_model_options *options,
                                                   const char *provider,
                                                   const char *path);

/*
 Sets the option `key` of `provider`, which was added before, to `value`. The file PROVIDERS.md lists the options.
 Returns DIFFUSE_ARGUMENT if the provider has no such option, or if the option cannot have this value. The options of
 plugin libraries are checked when a model is opened.
 */
int32_t diffuse_model_options_set_provider_option(struct diffuse_model_options *options,
                                                  const char *provider,
                                                  const char *key,
                                                  const char *value);

/*
 Sets whether the CPU may take the nodes that no provider takes (not 0), without being a provider itself. In any case
 it may take nodes that compute sizes, which CUDA leaves to the CPU by choice. It may also take the nodes of a
 pipeline's parts beside its predictor, for which no step waits. Default: 0.
 */
int32_t diffuse_model_options_set_cpu_nodes(struct diffuse_model_options *options,
                                            int32_t cpu_nodes);

/*
 Sets a manifest, as JSON, to use instead of the model's own.
 */
int32_t diffuse_model_options_set_manifest(struct diffuse_model_options *options, const char *json);

/*
 Adds a file of weights, for a model from bytes whose weights are in files of their own. `name` is the file's name as
 the model spells it. Its `length` bytes are copied.
 */
int32_t diffuse_model_options_add_external_data(struct diffuse_model_options *options,
                                                const char *name,
                                                const uint8_t *bytes,
                                                size_t length);

/*
 Sets whether weights in files of their own are read into memory (not 0) or mapped (0). Mapping is quicker and takes
 less memory. But a program that overwrites such a file in place, while the model is open, ends this process (SIGBUS)
 or changes what is drawn. Replacing the file with another one of the same name is harmless. Default: 0.
 */
int32_t diffuse_model_options_set_copy_weights(struct diffuse_model_options *options,
                                               int32_t copy_weights);

/*
 Sets a handle that cancels an opening with these options from another thread. The opening then returns
 DIFFUSE_CANCELLED. The handle may be freed meanwhile. NULL removes it. An execution provider's compiling is not cut
 short. diffuse_job_open() has diffuse_job_cancel() instead.
 */
int32_t diffuse_model_options_set_cancel(struct diffuse_model_options *options,
                                         const struct diffuse_cancel *cancel);

/*
 Sets what happens to the parts of a folder while they are not evaluated. `policy` is "keep", "stage" or a number of
 bytes. Default: "keep".

 With "keep", the parts stay open. With "stage", each part is closed when its stage of a run is over. A run then
 holds its largest part and no other. With a number of bytes, parts are closed where the files of the open ones have
 more. The number may end in k, M or G, which are powers of 1000.
 */
int32_t diffuse_model_options_set_memory(struct diffuse_model_options *options,
                                         const char *policy);

/*
 Sets how urgent the work of the model is: "normal" or "background". Default: "normal".

 "background" gives way to the host, whose frames go on while it draws. The threads that ONNX Runtime has for the
 model then have a lower priority. So do the workers of its jobs (diffuse_job_start()). It is +10 of Linux's nice
 values, Windows' THREAD_PRIORITY_LOWEST, or the utility class of macOS and iOS. This takes no privilege. If the
 system refuses it, the log sink receives a message, and the work goes on.

 The host's own threads keep their priority, also while they step a job. A callback of the host's that a worker calls
 is as urgent as the worker. Jobs have the priority of their model.
 */
int32_t diffuse_model_options_set_priority(struct diffuse_model_options *options,
                                           const char *priority);

/*
 Opens a model from a file, or from the folder of a pipeline. `path` is UTF-8. `options` may be NULL.

 The manifest of a file is that of `options`, else the file beside it (model.diffuse.json for model.onnx), else the
 one in its metadata.

 A folder holds a pipeline that was exported to ONNX, such as Stable Diffusion, with its text encoders and its
 autoencoder. Requests then have prompts, and the samples are pictures. The call looks at the graphs, and a run opens
 them when it needs them.

 Returns DIFFUSE_IO if a file cannot be read. Returns DIFFUSE_MODEL if it is no model, has no manifest, or if the two
 do not fit. Returns DIFFUSE_PROVIDER if none of the providers is available, and the message names the missing
 library. Returns DIFFUSE_PROVIDER also if they leave nodes of the network to the CPU without permission. To permit
 that, add "cpu" last, or call diffuse_model_options_set_cpu_nodes().

 On success, free `*model` with diffuse_model_free(). On failure, `*model` is NULL.
 */
int32_t diffuse_model_open(const struct diffuse_runtime *runtime,
                           const char *path,
                           const struct diffuse_model_options *options,
                           struct diffuse_model **model);

/*
 Opens a model from the `length` bytes of its file, which are not needed afterwards. Otherwise it is as
 diffuse_model_open().
 */
int32_t diffuse_model_open_bytes(const struct diffuse_runtime *runtime,
                                 const uint8_t *bytes,
                                 size_t length,
                                 const struct diffuse_model_options *options,
                                 struct diffuse_model **model);

/*
 Opens a model of several parts from the bytes of its `count` files. `names` holds the path of each file within its
 folder, such as "unet/model.onnx". `bytes` holds the address of each file's bytes, and `lengths` their number. The
 bytes are copied, and kept for as long as the model is open. Otherwise it is as diffuse_model_open() for a folder.
 */
int32_t diffuse_model_open_parts(const struct diffuse_runtime *runtime,
                                 const char *const *names,
                                 const uint8_t *const *bytes,
                                 const size_t *lengths,
                                 size_t count,
                                 const struct diffuse_model_options *options,
                                 struct diffuse_model **model);

/*
 Makes a model whose network is `callback`, a function of the host's, for hosts that run the network themselves.
 Samplers, guidance and jobs are the same, and ONNX Runtime is not needed. `manifest` is as for a model file, without
 names of inputs and outputs.

 The callback writes the prediction that the manifest defines, in the shape of the samples, as one batch. If the
 network also predicts a variance, the prediction has twice the channels. diffuse_estimate_time(), _input(),
 _classes() and _condition() give the network's inputs. Several jobs may call the callback at once. The callback and
 `user_data` must stay valid for as long as the model and its jobs live.

 Returns DIFFUSE_MODEL if the manifest is wrong, with the reason in the message. On success, free `*model` with
 diffuse_model_free(). On failure, `*model` is NULL.
 */
int32_t diffuse_model_open_callback(const char *manifest,
                                    diffuse_callback callback,
                                    void *user_data,
                                    struct diffuse_model **model);

/*
 Makes a model as diffuse_model_open_callback() does, with a function that releases `user_data`. The library calls
 `release` once nothing calls the callback any more.
 */
int32_t diffuse_model_open_callback_owned(const char *manifest,
                                          diffuse_callback callback,
                                          void *user_data,
                                          diffuse_release release,
                                          struct diffuse_model **model);

/*
 Returns memory to the system that evaluations needed for a time and do not need now. ONNX Runtime otherwise keeps it
 for as long as the model is open. It is freed at the end of an evaluation, so the call makes one, of one item.
 Memory on a device is left alone. For a network of the host's own, the call does nothing. `cancel` and the statuses
 are as for diffuse_model_denoise().
 */
int32_t diffuse_model_trim(const struct diffuse_model *model,
                           const struct diffuse_cancel *cancel);

/*
 Frees a model. NULL is fine. Jobs of the model go on.
 */
void diffuse_model_free(struct diffuse_model *model);

/*
 Returns the model's name in its manifest, else the name of its file without the ending, else "model". Returns NULL
 if `model` is not a valid handle. The string lives as long as the handle.
 */
const char *diffuse_model_name(const struct diffuse_model *model);

/*
 Returns the manifest as JSON, with all defaults filled in. Returns NULL if `model` is not a valid handle. The string
 lives as long as the handle.

 A request that names no solver gets the solver, its options, the grid and the steps of this text. What has no
 default is there only if the manifest sets it. The same holds for the names of inputs and outputs. The text is for
 reading, and not for opening a model. A grid and steps in a manifest also hold for a solver that a request names.
 */
const char *diffuse_model_manifest(const struct diffuse_model *model);

/*
 Returns the name of the execution provider in use, as it was added. It is the first of those added that evaluates a
 part of the network. For a network of the host's own, it is "host". Returns NULL if `model` is not a valid handle.
 The string lives as long as the handle.
 */
const char *diffuse_model_provider(const struct diffuse_model *model);

/*
 Returns as JSON which execution provider evaluates how many nodes, and which providers were passed over. An example
 is {"provider": "cpu", "nodes": [{"provider": "cpu", "nodes": 123}], "skipped": [{"provider": "cuda", "reason":
 "..."}]}. The list `nodes` is empty if no provider was added. Returns NULL if `model` is not a valid handle. The
 string lives as long as the handle.
 */
const char *diffuse_model_placement(const struct diffuse_model *model);

/*
 Writes the SHA-256 by which the model is known to `*sha256`, in hexadecimal. It is the SHA-256 of the lines that
 `sha256sum` prints for the model's parts. The parts are "graph", each file of weights by its name in the graph, and
 "manifest", the one in use. For a network of the host's own, it is the SHA-256 of the manifest. The string lives as
 long as the handle.

 The first call reads the files. Returns DIFFUSE_IO if one was changed since the model was opened.
 */
int32_t diffuse_model_sha256(const struct diffuse_model *model,
                             const char **sha256);

/*
 Writes the shape of one item, without the batch. For an image it is channels, height, width. The sizes go into
 `axes`, which has room for `capacity`, and their number into `*rank`. With a `capacity` of 0 the call only writes
 the number.

 The shape is the manifest's. A network with free axes need not keep to it. A size is 0 if the manifest leaves it
 free as well. For a folder, the shape is that of a picture of the usual size. The options width and height change
 that size.
 */
int32_t diffuse_model_shape(const struct diffuse_model *model,
                            size_t *axes,
                            size_t capacity,
                            size_t *rank);

/*
 Returns how many classes the model has, without the null class. Returns 0 if it has none, or if `model` is not a
 valid handle.
 */
size_t diffuse_model_class_count(const struct diffuse_model *model);

/*
 Returns the names of the classes in the order of their numbers, as a JSON array of strings. A class without a name
 has its number instead. The null class, whose name is "none", is left out. The array is [] if the model has no
 classes. Returns NULL if `model` is not a valid handle. The string lives as long as the handle.
 */
const char *diffuse_model_classes(const struct diffuse_model *model);

/*
 Writes the number of the class `name` to `*class_index`. `name` may also be the number as text, or "none" for the
 null class. Returns DIFFUSE_ARGUMENT if the model has no such class.
 */
int32_t diffuse_model_class(const struct diffuse_model *model,
                            const char *name,
                            int64_t *class_index);

/*
 Writes the noise level at the time `t` of the model's schedule: x = alpha*x0 + sigma*eps. The cleanest time is 0, and
 below 0 lies the clean sample. Returns DIFFUSE_ARGUMENT if `t` is beyond the schedule's times, or no number.
 */
int32_t diffuse_model_level(const struct diffuse_model *model,
                            double t,
                            double *alpha,
                            double *sigma);

/*
 Makes values from pixels, for an image model. It is the opposite of diffuse_job_read_pixels(), with the same
 `length`, `stride` and `flags`. The pixels are one image of the model's size. `capacity` is at least the number of
 values of an item.

 Opaque pixels stay the same when the values are drawn as pixels again. A model without alpha gets transparent pixels
 over white. A grey model gets the luma of ITU-R BT.601.
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
 Estimates what drawing `request` from `model` will take, and writes it to `*cost`. It makes up to three estimates of
 the clean samples, after a diffuse_model_trim(), so do not call it while others are in a hurry. A network of the
 host's is called for them, and a guidance callback is not. For a pipeline, everything is encoded, and one or two
 tiles are decoded. Statuses are as for diffuse_job_new() and diffuse_job_step(). `cancel` is as for
 diffuse_model_denoise().
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
 Sets the seed of the first item. Item i has the seed `seed` + i, which wraps around.
 */
int32_t diffuse_request_set_seed(struct diffuse_request *request, uint64_t seed);

/*
 Sets how many items are drawn at once. Default: 1.
 */
int32_t diffuse_request_set_count(struct diffuse_request *request, size_t count);

/*
 Sets the class of every item. `count` is the number of classes, and becomes the number of items. A number of items
 that is set later must be the same. The classes are copied. Without classes, a model that has a null class draws
 every item with that one. A model with classes and without a null class then refuses the job.
 */
int32_t diffuse_request_set_classes(struct diffuse_request *request,
                                    const int64_t *classes,
                                    size_t count);

/*
 Sets the class of item `item` by its name or its number. "none" is the null class. DIFFUSE_ALL_ITEMS sets the class
 of all items. It works as diffuse_request_set_prompt() does, and replaces diffuse_request_set_classes(). Classes of
 single items need as many items (diffuse_request_set_count()). NULL removes all of them. Making a job, which may
 open the model first, checks whether the model has such a class.
 */
int32_t diffuse_request_set_class(struct diffuse_request *request,
                                  int64_t item,
                                  const char *name);

/*
 Sets the class that guidance leads away from, as diffuse_request_set_class() does. It replaces
 diffuse_request_set_negative_classes().
 */
int32_t diffuse_request_set_negative_class(struct diffuse_request *request,
                                           int64_t item,
                                           const char *name);

/*
 Sets the shape of one item, for a model that leaves it free. A size is free if it is 0 in diffuse_model_shape() and
 no condition determines it. The shape is copied.
 */
int32_t diffuse_request_set_shape(struct diffuse_request *request,
                                  const size_t *axes,
                                  size_t rank);

/*
 Sets the option `key` to `value`, as text. The comment at the top of diffuse.h lists the options. Returns
 DIFFUSE_ARGUMENT if there is no such option, or if it cannot have this value. Making a job checks whether it fits
 the model, the solver and the other options.
 */
int32_t diffuse_request_set(struct diffuse_request *request,
                            const char *key,
                            const char *value);

/*
 Sets the option `key` to a number. Otherwise it is as diffuse_request_set().
 */
int32_t diffuse_request_set_number(struct diffuse_request *request, const char *key, double value);

/*
 Sets the solver, the grid and their options from the text of a scheduler_config.json of diffusers. It does not set
 the number of steps. What was set of these before is replaced. Returns DIFFUSE_ARGUMENT if the text is no such
 configuration, and the message names the field that is not understood. No job can be made with a model that was
 trained on another schedule.
 */
int32_t diffuse_request_set_scheduler_config(struct diffuse_request *request,
                                             const char *json);

/*
 Writes to `*departures` where diffusers does something else than this request, for the scheduler's configuration
 that was set. The text also names the fields of the configuration that are ignored. It has a line for each, and is
 empty if there are none. With the option compat at "diffusers", it names what differs all the same, with the reason.
 The string lives until the next call for this request, or until the request is freed.
 */
int32_t diffuse_request_departures(struct diffuse_request *request,
                                   const char **departures);

/*
 Removes the value of the option `key`, also one from diffuse_request_set_scheduler_config(). The option is then as
 if nobody had set it. Returns DIFFUSE_ARGUMENT if there is no such option.
 */
int32_t diffuse_request_unset(struct diffuse_request *request,
                              const char *key);

/*
 Returns the options of diffuse_request_set() as a JSON array. It is for an interface that shows them without knowing
 them. The array has an object for each option, in the order in which to show them. The string lives as long as the
 library.

 Each object has these fields. `name` is the key, and `group` the heading that the option stands under. `kind` is
 "boolean", "integer", "number", "choice", "text" or "numbers". `minimum` and `maximum` are there where there are
 bounds. `choices` lists the words of a choice, and for most choices `meanings` has a sentence for each. `default` is
 there if it is the same for every model. `default_text` states what the default depends on. `text` describes the
 option. `solvers` lists the solvers that have the option, if it is not for all.
 */
const char *diffuse_options(void);

/*
 Sets the prompt of item `item`, for a model that reads text. DIFFUSE_ALL_ITEMS sets the prompt of all items, and
 removes those of single items. Prompts of single items are set in their order, and each item needs one. NULL removes
 all prompts.

 By default, the model does not see the rest of a prompt that is longer than it reads, and the log sink receives a
 message. Returns DIFFUSE_ARGUMENT from a library that was built without the feature "text".
 */
int32_t diffuse_request_set_prompt(struct diffuse_request *request,
                                   int64_t item,
                                   const char *prompt);

/*
 Sets the prompt that guidance leads away from, as diffuse_request_set_prompt() does. Without one, or after NULL, it
 is what the model's family has for it: an empty text, or nothing.
 */
int32_t diffuse_request_set_negative_prompt(struct diffuse_request *request,
                                            int64_t item,
                                            const char *prompt);

/*
 Sets the outputs of a text encoder of the host's own, in place of prompts. `embeddings` holds `tokens` vectors of
 `width` values for each of `items` items, one after the other. `items` is 1 for all, or the number of items. If the
 model takes pooled vectors, `pooled` holds one of `pooled_width` values for each item. Otherwise these two are NULL
 and 0. All values are copied.

 `negative` is 0, or 1 for what guidance leads away from. The embeddings become the model's conditions
 encoder_hidden_states and text_embeds. For a model with other names, use diffuse_request_set_condition(). NULL as
 `embeddings` removes them.
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
 Sets the classes that guidance (the option guidance_scale) leads away from. `classes` holds one class for all items
 or one for each, `count` in all. They are copied. Default: the model's null class.
 */
int32_t diffuse_request_set_negative_classes(struct diffuse_request *request,
                                             const int64_t *classes,
                                             size_t count);

/*
 Sets a further condition of the network, by its name in the model's manifest. `values` has the type `element`, one
 of the DIFFUSE_ELEMENT_ numbers, and the shape of the `rank` axes. The shape is that of one item for all of them, or
 has the items first. The values are copied.

 The type need not be the graph's, but the graph's type must hold the numbers. A flat list is also possible, with one
 axis for the values of one item or of all items. A `rank` of 0 is one number. `negative` is 0, or 1 for what
 guidance leads away from. NULL as `values` removes the condition.
 */
int32_t diffuse_request_set_condition(struct diffuse_request *request,
                                      const char *name,
                                      int32_t element,
                                      const void *values,
                                      const size_t *axes,
                                      size_t rank,
                                      int32_t negative);

/*
 Sets a classifier that leads the samples to classes. Its model's prediction is class_gradient. `classes` holds class
 numbers of the classifier, one for all items or one for each, `count` in all. They are copied, and the classifier
 may be freed afterwards. NULL removes a classifier.
 */
int32_t diffuse_request_set_classifier(struct diffuse_request *request,
                                       const struct diffuse_model *classifier,
                                       const int64_t *classes,
                                       size_t count);

/*
 Sets the host's own guidance: a callback that receives every estimate of the clean samples before it is used, and
 may change it. It is called with `user_data`. Both must stay valid for as long as there are jobs of this request.
 Jobs that different threads step call it at once. NULL removes it.
 */
int32_t diffuse_request_set_guidance_callback(struct diffuse_request *request,
                                              diffuse_callback callback,
                                              void *user_data);

/*
 Sets a callback as diffuse_request_set_guidance_callback() does, with a function that releases `user_data`. The
 library calls `release` once neither the request nor a job of it calls the callback any more.
 */
int32_t diffuse_request_set_guidance_callback_owned(struct diffuse_request *request,
                                                    diffuse_callback callback,
                                                    void *user_data,
                                                    diffuse_release release);

/*
 Sets the clean samples that the run starts from. `values` holds one item for all, or every item one after the other,
 `length` values in all. They are copied. NULL removes them.

 The run starts from them with the noise of its first level. The option strength sets how many of the steps it does.
 With a mask, the samples are what is kept. With the option invert, they are what is inverted.

 diffuse_model_values() makes the values from pixels. For a folder, they are red, green and blue planes of pixels
 from -1 to 1, in the picture's size. The options width and height set that size, or it is the usual one.
 */
int32_t diffuse_request_set_image(struct diffuse_request *request,
                                  const float *values,
                                  size_t length);

/*
 Sets where the image is drawn anew (1), kept (0), or mixed (between 0 and 1). `values` has height*width values for
 all items, or for each of them one after the other, `length` in all. They hold for all channels, and are copied. A
 model that has the mask as an input uses it as it was trained to. NULL removes the mask.
 */
int32_t diffuse_request_set_mask(struct diffuse_request *request,
                                 const float *values,
                                 size_t length);

/*
 Loads ONNX Runtime (1.24 or newer) and starts it. If this process has started it already, the new handle refers to
 that one.

 `path` is ONNX Runtime's shared library, or the folder that holds it. With NULL, the call searches for the library
 and takes the first that it finds. It tries the place that the environment variable ORT_DYLIB_PATH names, then the
 folder of this library, then the folder of the program. The search fails if ORT_DYLIB_PATH names a place without the
 library. On Windows it ends there. Elsewhere it then tries the system's library folders, and last passes the bare
 name to the system's loader. The loader also searches an Android package, LD_LIBRARY_PATH, and the rpath of the
 module that this library is in.

 Make this call before other threads read or change environment variables. It sets ORT_DISABLE_TELEMETRY=1 unless
 that variable is set, because ONNX Runtime's official builds send telemetry otherwise.

 Returns DIFFUSE_RUNTIME if there is no ONNX Runtime, or if another one is already running. On success, free
 `*runtime` with diffuse_runtime_free(). On failure, `*runtime` is NULL.
 */
int32_t diffuse_runtime_open(const char *path,
                             struct diffuse_runtime **runtime);

/*
 Uses the ONNX Runtime (1.24 or newer) that the program has already, linked into it or loaded. `base` is the result
 of its OrtGetApiBase(). The call searches for no file. It is for systems without such a file, such as iOS and
 consoles. It is also for programs that use ONNX Runtime themselves.

 ONNX Runtime must stay loaded for as long as the process lives. A process has one environment of ONNX Runtime. A
 host that wants its own logger or thread pools makes that environment before this call. The environment stays as it
 is, except that its telemetry is turned off. This call sets no environment variable.

 Statuses and ownership are as for diffuse_runtime_open(). diffuse_runtime_path() returns "the host's".
 */
int32_t diffuse_runtime_of_host(const void *base,
                                struct diffuse_runtime **runtime);

/*
 Frees a runtime handle. NULL is fine.
 */
void diffuse_runtime_free(struct diffuse_runtime *runtime);

/*
 Returns the path of the ONNX Runtime that was loaded. Returns NULL if `runtime` is not a valid handle. The string
 lives as long as the handle.
 */
const char *diffuse_runtime_path(const struct diffuse_runtime *runtime);

/*
 Returns the version of ONNX Runtime, such as "1.31.1". Returns NULL if `runtime` is not a valid handle. The string
 lives as long as the handle.
 */
const char *diffuse_runtime_version(const struct diffuse_runtime *runtime);

/*
 Returns the names of the execution providers that this ONNX Runtime was built with, separated by commas. Opening a
 model shows whether one works. It may lack libraries, a driver or a device. Returns NULL if `runtime` is not a valid
 handle. The string lives as long as the handle.
 */
const char *diffuse_runtime_providers(const struct diffuse_runtime *runtime);

/*
 Returns the name of a status, such as "DIFFUSE_ARGUMENT". Returns "unknown" for a number that is no status. The
 string is static.
 */
const char *diffuse_status_name(int32_t status);

/*
 Returns the library's version, such as "0.1.0". The string is static.
 */
const char *diffuse_version(void);

/*
 Returns the library's version as a number, in the form of DIFFUSE_VERSION.
 */
uint32_t diffuse_version_number(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* DIFFUSE_H */
