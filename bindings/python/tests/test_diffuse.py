"""The package from outside: what it draws is what the library draws, and what goes wrong is an exception of its
kind.
"""

import atexit
import ctypes
import errno
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import unittest
import weakref
from pathlib import Path

import numpy as np

import diffuse

SPRITES = "onnx/models/sprites.onnx"


class Models(unittest.TestCase):
    def setUp(self):
        self.model = diffuse.Model(SPRITES, threads=2)

    def test_it_says_what_it_is(self):
        model = self.model
        self.assertEqual((model.name, model.shape, model.class_count, model.provider), ("sprites", (4, 32, 32), 10, "cpu"))
        self.assertEqual(model.manifest["prediction"], "v")
        self.assertEqual(len(model.sha256), 64)
        self.assertEqual(model.class_index("star"), 1)
        level = model.level(500)
        self.assertAlmostEqual(level.alpha**2 + level.sigma**2, 1, places=9)
        self.assertEqual(diffuse.__version__, diffuse.version())
        self.assertIn("cpu", diffuse.Runtime().providers)

    def test_bytes_and_path_are_the_same_model(self):
        with open(SPRITES, "rb") as file:
            inside = diffuse.Model(file.read(), threads=2)
        self.assertEqual(inside.sha256, self.model.sha256)
        of = dict(classes="heart", steps=3)
        np.testing.assert_array_equal(inside.draw(**of), self.model.draw(**of))

    def test_errors_are_of_their_kind(self):
        model = self.model
        for kind, call in [
            (diffuse.FileError, lambda: diffuse.Model("nowhere.onnx")),
            (OSError, lambda: diffuse.Model("nowhere.onnx")),
            (diffuse.ModelError, lambda: diffuse.Model("README.md")),
            (diffuse.ModelError, lambda: diffuse.Model(SPRITES, manifest={"diffuse": 1})),
            (diffuse.RuntimeMissing, lambda: diffuse.Runtime("/nowhere")),
            (diffuse.ArgumentError, lambda: diffuse.Model(SPRITES, providers=["nothing"])),
            (diffuse.ArgumentError, lambda: diffuse.Model(SPRITES, threads=-1)),
            (ValueError, lambda: model.draw(classes="unicorn")),
            (diffuse.ArgumentError, lambda: model.draw(classes=[1.5])),
            (diffuse.ArgumentError, lambda: model.draw(count=-1)),
            (diffuse.ArgumentError, lambda: model.draw(classes=[0, 1], count=3)),
            (diffuse.ArgumentError, lambda: model.draw(nonsense=3)),
            (diffuse.ArgumentError, lambda: model.draw(image=np.zeros(7))),
            (diffuse.ArgumentError, lambda: model.job().restore(b"nothing")),
            (diffuse.ArgumentError, lambda: model.job().restore(b"")),
            (diffuse.ArgumentError, lambda: model.job().advance(-1)),
            (diffuse.ArgumentError, lambda: model.job().advance(float("nan"))),
            (diffuse.ArgumentError, lambda: model.job().pixels(-1)),
            (diffuse.ArgumentError, lambda: model.job().pixels(5)),
            (diffuse.NotYet, lambda: model.job().preview()),
            (diffuse.ArgumentError, lambda: model.denoise(np.zeros((1, 3, 32, 32)), model.level(5))),
            (diffuse.ArgumentError, lambda: model.denoise(np.zeros((0, 4, 32, 32)), model.level(5))),
            (diffuse.ArgumentError, lambda: model.denoise(np.zeros((3, 4, 32, 32)), model.level(5), classes=[1, 2])),
            (diffuse.ArgumentError, lambda: model.denoise(np.zeros((1, 4, 32, 32)), model.level(5), classes="unicorn")),
            (diffuse.ArgumentError, lambda: model.denoise(np.zeros((1, 4, 32, 32)), model.level(5), shape=(4, 16, 16))),
            (diffuse.ArgumentError, lambda: model.denoise(np.zeros((1, 4, 32, 32)), model.level(5), nonsense=3)),
            (diffuse.ArgumentError, lambda: model.add_noise(np.zeros((1, 4, 32, 31)), 5)),
            (diffuse.ArgumentError, lambda: model.draw(conditions={"text": 1})),
            (diffuse.ArgumentError, lambda: model.values(np.zeros((31, 32, 4), np.uint8))),
            (diffuse.ArgumentError, lambda: model.values(np.zeros((32, 32, 3), np.uint8))),
            (diffuse.ModelError, lambda: diffuse.Model.from_network({}, lambda _: 0)),
        ]:
            with self.assertRaises(kind):
                call()

    def test_a_file_error_is_one_of_the_systems(self):
        for path, number in [("nowhere.onnx", errno.ENOENT), ("README.md/model.onnx", errno.ENOTDIR)]:
            with self.assertRaises(OSError) as caught:
                diffuse.Model(path)
            error = caught.exception
            self.assertEqual((error.errno, error.filename, error.strerror), (number, path, os.strerror(number)))
            self.assertIn(path, str(error))

    def test_levels_have_to_be_of_the_schedule(self):
        for t in [float("nan"), float("inf"), 1e308, 1000]:
            self.assertRaises(diffuse.ArgumentError, self.model.level, t)
        self.assertEqual(self.model.level(-1)[1:], (1, 0))

    def test_the_raw_calls(self):
        model = self.model
        clean = model.draw(classes="key", steps=5)
        noisy = model.add_noise(clean, 300, seed=4)
        denoised = model.denoise(noisy, model.level(300), classes=["key"])
        self.assertLess(np.abs(denoised - clean).mean(), np.abs(noisy - clean).mean())
        request = diffuse.Request(classes="key", options={"steps": 5})
        np.testing.assert_array_equal(model.denoise(noisy, model.level(300), request), denoised)
        np.testing.assert_array_equal(model.add_noise(clean, 300, 4, request), noisy)
        both = model.denoise(np.concatenate([noisy, noisy]), model.level(300), request, classes=["star", "key"])
        np.testing.assert_allclose(both[1], denoised[0], atol=1e-5)
        self.assertGreater(np.abs(both[0] - denoised[0]).max(), 0.01)
        # One class is for all of them, and none is the null class.
        same = model.denoise(np.concatenate([noisy, noisy]), model.level(300), request)
        np.testing.assert_allclose(same, np.concatenate([denoised, denoised]), atol=1e-5)
        self.assertEqual(model.denoise(noisy, model.level(300)).shape, noisy.shape)
        cost = model.cost(classes="key", steps=7)
        self.assertEqual(cost.evaluations, 7)
        self.assertGreater(cost.seconds, 0)
        self.assertGreater(cost.peak_bytes, 100_000)
        model.trim()

    def test_conditions_of_every_type(self):
        manifest = {"diffuse": 1, "sample": {"shape": [2]}, "schedule": {"kind": "linear"}, "prediction": "x0"}
        manifest["conditions"] = {"text": {"shape": [2, 3]}, "all": {"shape": [], "batch": False}}
        seen = []

        def network(estimate):
            seen[:] = [estimate.condition("text").copy(), estimate.condition("all").copy()]
            with self.assertRaises(ValueError):
                estimate.condition("text")[...] = 0
            with self.assertRaises(diffuse.ArgumentError):
                estimate.condition("image")
            return np.zeros_like(estimate.x)

        model = diffuse.Model.from_network(manifest, network)
        level, x = model.level(500), np.zeros((3, 2))
        text = np.arange(18).reshape(3, 2, 3)
        for of, within in [
            *[(name, "int64") for name in ["int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", ">i2"]],
            *[("float16", "float32"), ("float32", "float32"), ("float64", "float64"), (">f4", "float32")],
        ]:
            model.denoise(x, level, conditions={"text": text.astype(of), "all": 7})
            self.assertEqual((seen[0].dtype, seen[1].dtype, seen[1].shape), (within, "int64", ()), of)
            np.testing.assert_array_equal(seen[0], text)
        # One for all, a list, a view that is not in order, numbers of Python and truth values.
        for given, one in [
            (text[0], True), (text[:1], True), (text[0].ravel(), True), (text.ravel(), False), (text.tolist(), False),
            (np.asfortranarray(text), False), (text[::1, :, ::-1][:, :, ::-1], False), (text > 4, False),
        ]:
            request = diffuse.Request(conditions={"text": given, "all": 0.5})
            model.draw(request, count=3, steps=2)
            np.testing.assert_array_equal(seen[0], [np.asarray(given).reshape(2, 3)] * 3 if one else np.reshape(given, (3, 2, 3)))
            self.assertEqual((seen[1].dtype, float(seen[1])), ("float64", 0.5))
        # What is nothing that the library has.
        for given in [1j, "text", None, np.zeros((2, 3), np.longdouble), [2**64], np.zeros((0, 3)), np.full((2, 3), np.nan), 2**63]:
            with self.assertRaises(diffuse.ArgumentError, msg=repr(given)):
                model.denoise(x, level, conditions={"text": given, "all": 1})
        with self.assertRaisesRegex(diffuse.ArgumentError, "'all'"):
            model.log_density(x, conditions={"text": text})
        np.testing.assert_array_equal(model.log_density(x, conditions={"text": text, "all": 1}, tolerance=0.1).shape, (3,))
        bound = dict(variance="beta", seed=1, conditions={"text": text, "all": 1})
        self.assertEqual(model.variational_bound(x, **bound).shape, (3,))

    def test_guidance_leads_away_from_conditions(self):
        manifest = {"diffuse": 1, "sample": {"shape": [1]}, "schedule": {"kind": "cosine", "train_steps": 100}, "prediction": "x0"}
        manifest["conditions"] = {"place": {"shape": []}}
        model = diffuse.Model.from_network(manifest, lambda estimate: estimate.condition("place")[:, None])
        of = dict(conditions={"place": np.int8([1, 2])}, negative_conditions={"place": 0.5}, guidance_scale=2, count=2)
        np.testing.assert_allclose(model.draw(**of), [[1.5], [3.5]], atol=1e-4)

    def test_a_size_that_is_free(self):
        manifest = {"diffuse": 1, "sample": {"shape": [2, "T"]}, "schedule": {"kind": "linear"}, "prediction": "x0"}
        manifest["conditions"] = {
            "words": {"shape": ["T"]},
            "before": {"shape": [2, 3], "joined": True, "axis": 1, "before": True},
        }
        seen = []

        def network(estimate):
            seen.append((estimate.input.shape, estimate.condition("words").shape))
            np.testing.assert_array_equal(estimate.input[:, :, 3:], estimate.x)
            np.testing.assert_array_equal(estimate.input[:, :, :3], np.broadcast_to(before, (2, 2, 3)))
            return estimate.x / 2

        model = diffuse.Model.from_network(manifest, network)
        before = np.float32([[1, 2, 3], [4, 5, 6]])
        conditions = {"words": np.arange(5), "before": before}
        self.assertEqual(model.shape, (2, 0))
        self.assertEqual(model.draw(count=2, steps=2, conditions=conditions).shape, (2, 2, 5))
        x = np.ones((2, 2, 5), np.float32)
        self.assertEqual(model.denoise(x, model.level(9), conditions=conditions).shape, x.shape)
        self.assertEqual(set(seen), {((2, 2, 8), (2, 5))})
        self.assertEqual(model.add_noise(np.ones((2, 2, 4)), 9).shape, (2, 2, 4))
        for wrong in [np.ones((2, 2, 4)), np.ones((2, 3, 5)), np.ones((2, 5))]:
            with self.assertRaises(diffuse.ArgumentError):
                model.denoise(wrong, model.level(9), conditions=conditions)
        with self.assertRaises(diffuse.ArgumentError):
            model.values(np.zeros((2, 5, 4), np.uint8))

    def test_a_folder_draws_what_a_prompt_says(self):
        folder = "onnx/pipelines/sdxl"
        model = diffuse.Model(folder, memory="stage")
        said = dict(prompt=["a red cat", "a dog"], negative_prompt="blurry", steps=2, seed=3)
        pictures = model.draw(**said)
        self.assertEqual(pictures.shape, (2, 3, *model.shape[1:]))
        again = [model.draw(**{**said, "prompt": text, "seed": 3 + item}) for item, text in enumerate(said["prompt"])]
        self.assertLess(np.abs(np.concatenate(again) - pictures).max(), 1e-5)
        files = {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}
        np.testing.assert_array_equal(diffuse.Model(files).draw(**said), pictures)
        job = model.job(**said)
        progress = list(job)
        self.assertEqual((progress[0].step, progress[-1]), (1, diffuse.Progress(2, 2)))
        self.assertEqual((job.latents().size, job.read().shape), (2 * 4 * 16 * 16, pictures.shape))
        with self.assertRaisesRegex(diffuse.ArgumentError, "prompt: .* there is none"):
            model.draw(steps=2)
        with self.assertRaisesRegex(diffuse.ArgumentError, "memory"):
            diffuse.Model(folder, memory="plenty")
        context, pooled = np.zeros((77, 56)), np.zeros(20)
        own = model.draw(embeddings=(context, pooled), negative_embeddings=(context + 1, pooled), steps=2)
        self.assertEqual(own.shape, (1, *pictures.shape[1:]))

    def test_pixels_there_and_back(self):
        job = self.model.job(classes="moon", steps=5).run()
        pixels = job.pixels()
        np.testing.assert_array_equal(pixels, job.preview_pixels())
        again = self.model.job(image=self.model.values(pixels), classes="moon", strength=0.5, steps=4)
        self.assertEqual(again.progress, (0, 2))

    def test_a_likelihood(self):
        points = diffuse.Model("onnx/models/vp_s_curve.onnx")
        densities = points.log_density(np.zeros((2, 2)), tolerance=1e-3)
        self.assertEqual(densities.shape, (2,))
        self.assertEqual(densities[0], densities[1])
        with self.assertRaises(diffuse.ArgumentError):
            points.variational_bound(np.zeros((1, 2)))


class Jobs(unittest.TestCase):
    def setUp(self):
        self.model = diffuse.Model(SPRITES, threads=2)

    def test_ways_to_run_end_in_the_same_bits(self):
        def job():
            return self.model.job(classes="heart", seed=1, solver="ddpm", steps=12)

        whole = job().run().read()
        stepped = job()
        while not stepped.step():
            pass
        np.testing.assert_array_equal(stepped.read(), whole)
        in_time = job()
        while not in_time.advance(0.01):
            pass
        np.testing.assert_array_equal(in_time.read(), whole)
        iterated = job()
        self.assertEqual(len(iterated), 12)
        self.assertEqual([at.step for at in iterated], list(range(1, 13)))
        np.testing.assert_array_equal(iterated.read(), whole)
        paused = job()
        while True:
            paused.start()
            paused.pause()
            if paused.wait() == diffuse.State.FINISHED:
                break
            self.assertEqual(paused.state, diffuse.State.PAUSED)
        np.testing.assert_array_equal(paused.read(), whole)
        left = job()
        left.step()
        taken_up = job()
        taken_up.restore(left.snapshot())
        np.testing.assert_array_equal(taken_up.run().read(), whole)
        started = job()
        started.start_from(job().read())
        np.testing.assert_array_equal(started.run().read(), whole)

    def test_a_bar_is_told_every_step(self):
        calls = []

        class Bar:
            def __init__(self, total, initial):
                calls.append(("open", total, initial))

            def update(self, count):
                calls.append(("update", count))

            def close(self):
                calls.append(("close",))

        job = self.model.job(classes="heart", steps=9)
        job.step()
        job.run(progress=Bar)
        self.assertEqual(calls[0], ("open", 9, 1))
        self.assertEqual(calls[-1], ("close",))
        self.assertEqual(sum(call[1] for call in calls if call[0] == "update"), 8)

    def test_the_steps_of_a_pipeline_are_those_of_sampling(self):
        job = diffuse.Model("onnx/pipelines/sd").job(prompt="a fox", steps=4)
        self.assertEqual(job.stage.stage, diffuse.Stage.ENCODING)
        self.assertEqual((len(job), [progress.step for progress in job]), (4, [1, 2, 3, 4]))
        self.assertEqual(job.stage, (diffuse.Stage.DECODING, 1, 1))
        self.assertEqual(job.state, diffuse.State.FINISHED)

    def test_an_interface_knows_classes_and_options_by_what_is_said_of_them(self):
        model = diffuse.Model(SPRITES, priority="background")
        self.assertEqual([model.class_index(name) for name in model.classes], list(range(model.class_count)))
        job = model.job(classes="heart", steps=3)
        self.assertEqual(job.estimates, 0)
        self.assertEqual([job.estimates for _ in job], [1, 2, 3])
        described = {option["name"]: option for option in diffuse.options()}
        self.assertEqual((described["eta"]["kind"], described["paste"]["kind"]), ("number", "boolean"))
        self.assertIn("ddim", described["solver"]["choices"])
        with self.assertRaisesRegex(diffuse.ArgumentError, "urgent"):
            diffuse.Model(SPRITES, priority="urgent")

    def test_what_others_call_otherwise_is_said_by_its_name(self):
        model = diffuse.Model("onnx/pipelines/sd")
        wrong = [
            ({"request": "a fox"}, "prompt='a fox'"),
            ({"num_inference_steps": 4}, "it is steps here"),
            ({"size": 64}, "width and height"),
            ({"prompt": "a fox", "image": np.zeros((64, 64, 3), np.uint8)}, "127.5"),
        ]
        for asked, said in wrong:
            with self.assertRaisesRegex(diffuse.ArgumentError, said):
                model.draw(**asked)

    def test_a_cancel_from_another_thread(self):
        job = self.model.job(classes="heart", steps=1000)
        threading.Timer(0.05, job.cancel).start()
        with self.assertRaises(diffuse.Cancelled):
            job.run()
        self.assertEqual(job.state, diffuse.State.STOPPED)
        self.assertIsInstance(job.error, diffuse.Cancelled)

    def test_calls_without_a_job_are_cancelled(self):
        begun = threading.Event()

        def network(estimate):
            begun.set()
            while not estimate.is_cancelled:
                time.sleep(0.001)
            return np.zeros_like(estimate.x)

        manifest = {"diffuse": 1, "sample": {"shape": [4]}, "schedule": {"kind": "linear"}, "prediction": "x0"}
        endless = diffuse.Model.from_network(manifest, network)
        x = np.zeros((1, 4))
        for call in [
            lambda cancel: endless.cost(cancel=cancel),
            lambda cancel: endless.denoise(x, endless.level(500), cancel=cancel),
            lambda cancel: endless.log_density(x, cancel=cancel),
            lambda cancel: endless.variational_bound(x, cancel=cancel),
        ]:
            begun.clear()
            cancel = diffuse.Cancel()
            other = threading.Thread(target=lambda: (begun.wait(), cancel.cancel()))
            other.start()
            self.assertRaises(diffuse.Cancelled, call, cancel)
            other.join()
            # It stays cancelled.
            self.assertRaises(diffuse.Cancelled, call, cancel)
        self.assertRaises(diffuse.Cancelled, self.model.trim, cancel=cancel)
        self.assertRaises(diffuse.Cancelled, diffuse.Model, SPRITES, cancel=cancel)

    def test_ctrl_c_ends_a_call_without_a_job(self):
        program = (
            "import diffuse, numpy as np, signal, sys, time\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "def network(estimate):\n"
            "    print('begun', flush=True)\n"
            "    while not estimate.is_cancelled: time.sleep(0.001)\n"
            "    return np.zeros_like(estimate.x)\n"
            "manifest = {'diffuse': 1, 'sample': {'shape': [4]}, 'schedule': {'kind': 'linear'}, 'prediction': 'x0'}\n"
            "model = diffuse.Model.from_network(manifest, network)\n"
            "try: model.denoise(np.zeros((1, 4)), model.level(500))\n"
            "except KeyboardInterrupt: sys.exit(7)\n"
        )
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline().strip(), b"begun")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=60), 7)
        process.stdout.close()

    def test_two_threads_are_not_let_in(self):
        job = self.model.job(classes="heart", steps=1000)
        job.start()
        with self.assertRaises(diffuse.BusyError):
            job.step()
        with self.assertRaises(diffuse.BusyError):
            job.start()

    def test_guidance_is_called_and_its_failure_is_the_cause(self):
        steps = []

        def watched(estimate, denoised):
            steps.append(estimate.step)
            self.assertEqual(denoised.shape, (2, 4, 32, 32))
            self.assertEqual(estimate.x.shape, denoised.shape)
            self.assertEqual(list(estimate.classes), [0, 1])
            with self.assertRaises(ValueError):
                estimate.x[0] = 0
            with self.assertRaises(diffuse.ArgumentError):
                estimate.time
            denoised *= 0.5

        self.model.draw(classes=["heart", "star"], steps=4, guidance=watched)
        self.assertEqual(steps, [(step, 2) for step in range(4)])

        def lost(estimate, denoised):
            raise KeyError("the palette")

        with self.assertRaises(diffuse.CallbackError) as raised:
            self.model.draw(classes="heart", guidance=lost)
        self.assertIsInstance(raised.exception.__cause__, KeyError)
        self.assertIn("palette", str(raised.exception))

    def test_what_a_function_raises_is_the_cause_of_its_own_job(self):
        class Mute(Exception):
            def __str__(self):
                raise ValueError("no text")

        for raised in [ValueError("é" * 600), ValueError("\udcff"), Mute(), ValueError("a\0b")]:

            def failing(*_, raised=raised):
                raise raised

            with self.assertRaises(diffuse.CallbackError) as caught:
                self.model.draw(classes="heart", guidance=failing, steps=3)
            self.assertIs(caught.exception.__cause__, raised)
            self.assertNotIn("\ufffd" * 2, str(caught.exception))
        manifest = {"diffuse": 1, "sample": {"shape": [2]}, "prediction": "x0"}
        manifest["schedule"] = {"kind": "cosine", "train_steps": 100}
        count = iter(range(100))

        def network(_):
            raise KeyError(f"call {next(count)}")

        model = diffuse.Model.from_network(manifest, network)
        self.assertEqual(model.manifest["defaults"]["steps"], 20)
        jobs = [model.job(steps=3) for _ in range(3)]
        for job in jobs:
            job.start()
        for job in jobs:
            with self.assertRaises(diffuse.CallbackError) as caught:
                job.wait()
            self.assertIn(str(caught.exception.__cause__), str(caught.exception))

    def test_what_is_returned_has_to_fit(self):
        for answer in [lambda e, d: 0.25, lambda e, d: d[0, 0], lambda e, d: "text"]:
            with self.assertRaises(diffuse.CallbackError):
                self.model.draw(classes="heart", guidance=answer, steps=2)
        manifest = {"diffuse": 1, "sample": {"shape": [1, 4, 4]}, "prediction": "x0"}
        manifest["schedule"] = {"kind": "cosine", "train_steps": 100}
        with self.assertRaisesRegex(diffuse.CallbackError, "returned nothing"):
            diffuse.Model.from_network(manifest, lambda e: None).draw(steps=2)
        # Of the size that was asked for, which is not the manifest's.
        shapes = set()

        def network(estimate):
            shapes.update([estimate.shape, estimate.x.shape, estimate.input.shape])
            return estimate.x

        drawn = diffuse.Model.from_network(manifest, network).draw(count=3, shape=(1, 8, 2), steps=2)
        self.assertEqual((drawn.shape, shapes), ((3, 1, 8, 2), {(3, 1, 8, 2)}))

    def test_a_classifier_of_the_hosts_stays(self):
        manifest = {"diffuse": 1, "sample": {"shape": [2]}, "prediction": "x0"}
        manifest["schedule"] = {"kind": "cosine", "train_steps": 100}
        model = diffuse.Model.from_network(manifest, lambda e: e.x)
        classes = {**manifest, "prediction": "class_gradient", "classes": {"count": 2}}
        asked = []

        def gradient(estimate):
            asked.append(list(estimate.classes))
            return np.ones(estimate.shape)

        classifier = diffuse.Model.from_network(classes, gradient)
        job = model.job(classifier=(classifier, [1]), steps=3)
        del classifier
        gc.collect()
        job.run()
        self.assertEqual(asked, [[1]] * 3)

    def test_a_second_run_does_not_end_the_first(self):
        job = self.model.job(classes="heart", steps=400)
        job.start()
        with self.assertRaises(diffuse.BusyError):
            job.run()
        self.assertEqual(job.wait(), diffuse.State.FINISHED)

    def test_nothing_is_cut_to_size(self):
        for of in [
            dict(count=2**64 + 1), dict(shape=(4, 32, 2**64 + 32)), dict(classes=2**64), dict(seed=-1), dict(seed=2**64),
            dict(solver="ddim\0x"), dict(classes=1.5), dict(steps=None), dict(image=np.zeros(4096, complex)), dict(guidance=3),
        ]:
            with self.assertRaises(diffuse.ArgumentError, msg=str(of)):
                self.model.draw(**of)
        self.assertEqual(self.model.job(classes="heart", steps=5.0).progress.steps, 5)
        with self.assertRaisesRegex(diffuse.ArgumentError, "seconds: -1"):
            self.model.job(classes="heart").wait(-1)
        with self.assertRaises(diffuse.ArgumentError):
            self.model.draw(classes="heart", progress=True)
        with self.assertRaises(diffuse.ArgumentError):
            self.model.values(np.full((32, 32, 4), 0.5))

    def test_a_thread_that_outlives_the_interpreter_finds_no_handle(self):
        code = (
            "import diffuse, threading, time\n"
            "job = diffuse.Model('%s').job(classes='heart', steps=1000)\n"
            "threading.Thread(target=job.run, daemon=True).start()\n"
            "time.sleep(0.1)\n" % SPRITES
        )
        for _ in range(3):
            result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
            self.assertEqual(result.returncode, 0, result.stderr)

    def test_a_function_that_refers_to_its_job_is_no_leak(self):
        def make():
            jobs = []
            job = self.model.job(classes="heart", steps=500, guidance=lambda *_: jobs and None)
            jobs.append(job)
            job.start()
            return weakref.ref(job)

        gone = make()
        gc.collect()
        self.assertIsNone(gone())

    def test_a_network_of_the_hosts_draws_what_the_model_draws(self):
        manifest = {**self.model.manifest, "prediction": "x0"}
        manifest = {key: value for key, value in manifest.items() if key not in ("inputs", "outputs")}

        def network(estimate):
            level = diffuse.Level(*estimate.level)
            self.assertEqual(estimate.input.shape, estimate.x.shape)
            self.assertFalse(estimate.is_cancelled)
            self.assertEqual(estimate.time, round(estimate.time))
            return self.model.denoise(estimate.input, level, classes=list(estimate.classes))

        own = diffuse.Model.from_network(json.dumps(manifest), network)
        self.assertEqual(own.provider, "host")
        of = dict(classes=["fish", "key"], steps=6, solver="unipc", guidance_scale=2)
        np.testing.assert_array_equal(own.draw(**of), self.model.draw(**of))

    def test_options_of_every_kind(self):
        of = dict(classes="heart", steps=3, guidance_scales=[1, 2, 3.5], noise="torch")
        np.testing.assert_array_equal(self.model.draw(**of), self.model.draw(diffuse.Request(classes="heart"), **of))
        base = diffuse.Request(seed=3, options={"steps": 4, "solver": "ddpm"})
        self.assertEqual(self.model.job(base, steps=5).progress.steps, 5)

    def test_models_and_jobs_end_with_the_interpreter(self):
        code = (
            "import diffuse, threading\n"
            "model = diffuse.Model('%s')\n"
            "job = model.job(classes='heart', steps=1000, guidance=lambda estimate, denoised: None)\n"
            "job.start()\n" % SPRITES
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    @unittest.skipIf(os.name == "nt", "there is no such signal")
    def test_ctrl_c_is_heard(self):
        code = (
            "import diffuse, os, signal, threading, time\n"
            # A shell's background processes are born deaf to it.
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
            "try:\n"
            "    diffuse.Model('%s').draw(classes=['heart'] * 64, steps=1000)\n"
            "except KeyboardInterrupt:\n"
            "    print('interrupted')\n" % SPRITES
        )
        start = time.monotonic()
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
        self.assertEqual((result.returncode, result.stdout), (0, "interrupted\n"), result.stderr)
        self.assertLess(time.monotonic() - start, 300)


@unittest.skipUnless(hasattr(os, "fork"), "there is no fork here")
class Processes(unittest.TestCase):
    def forked(self, child):
        """Runs `child` in a fork, which then ends as a program does, destructors and all; and waits for it."""
        process = os.fork()
        if process == 0:
            code = 1
            try:
                signal.alarm(60)
                child()
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                # What a program does at its end: the interpreter's own finalizers, and then those of C.
                atexit._run_exitfuncs()
                sys.stderr.flush()
                ctypes.CDLL(None).exit(code)
        self.assertEqual(os.waitpid(process, 0)[1], 0)

    def test_a_child_may_not_use_what_is_the_parents_and_open_its_own(self):
        model = diffuse.Model(SPRITES, threads=2)
        expected = model.draw(classes="heart", steps=3)
        job = model.job(classes="heart", steps=500)
        job.start()

        def child():
            for call in [lambda: job.state, job.step, job.cancel, lambda: job.progress, lambda: model.name, lambda: model.class_count]:
                with self.assertRaisesRegex(diffuse.ArgumentError, f"opened in process {os.getppid()}"):
                    call()
            own = diffuse.Model(SPRITES, threads=2)
            np.testing.assert_array_equal(own.draw(classes="heart", steps=3), expected)

        for _ in range(5):
            time.sleep(0.01)
            self.forked(child)
        self.assertEqual(job.state, diffuse.State.RUNNING)
        job.cancel()

    def test_an_interpreter_ends_under_a_worker(self):
        program = f"""
import diffuse, time, sys
model = diffuse.Model({SPRITES!r}, threads=2)
job = model.job(classes="heart", steps=1000)
job.start()
time.sleep(float(sys.argv[1]))
"""
        for i in range(10):
            ended = subprocess.run([sys.executable, "-c", program, str(0.01 * i)], capture_output=True, text=True, timeout=60)
            self.assertEqual((ended.returncode, ended.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
