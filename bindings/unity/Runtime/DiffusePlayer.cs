using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Text;
using System.Threading.Tasks;
using Unity.Collections.LowLevel.Unsafe;
using UnityEngine;
using UnityEngine.Events;
using UnityEngine.Networking;

namespace Diffuse.Unity
{
    /// <summary>Draws a picture while the game goes on. A worker of the library opens the model and draws. In each
    /// frame this component polls it, which takes microseconds, and uploads a texture when there is a new estimate.
    /// When something is missing the game goes on, and the console names it and the remedy.</summary>
    [AddComponentMenu("diffuse/Player")]
    public sealed class DiffusePlayer : MonoBehaviour
    {
        /// <summary>An event with a texture.</summary>
        [Serializable] public sealed class TextureEvent : UnityEvent<Texture2D> { }

        /// <summary>An event with the reason why there is no picture.</summary>
        [Serializable] public sealed class TextEvent : UnityEvent<string> { }

        public DiffuseModel model;
        [Tooltip("For a model of classes; nothing is any")] public string className = "";
        [TextArea] [Tooltip("For a model that reads text")] public string prompt = "";
        [TextArea] public string negativePrompt = "";
        public long seed = 7;
        [Tooltip("0 is the model's")] public int steps;
        public List<DiffuseOption> options = new List<DiffuseOption>();
        public bool playOnEnable = true;
        [Tooltip("Pixels keep their edges")] public FilterMode filterMode = FilterMode.Point;

        [Tooltip("A new estimate is in the texture")] public TextureEvent changed = new TextureEvent();
        [Tooltip("The picture is in the texture")] public TextureEvent finished = new TextureEvent();
        public TextEvent failed = new TextEvent();

        /// <summary>The game's code that sees every estimate of the clean samples and may change it. It runs on the
        /// worker, not on the main thread. Set it before <see cref="Play"/>.</summary>
        public EstimateCallback Guidance { get; set; }

        /// <summary>The picture, from its first estimate on. The component owns it, and destroys it with
        /// itself.</summary>
        public Texture2D Texture { get; private set; }

        /// <summary>Whether it draws, or reads the model.</summary>
        public bool IsPlaying => job != null || reading != null;

        /// <summary>How much of its stage is done, from 0 to 1.</summary>
        public float Progress { get; private set; }

        /// <summary>The stage that it is in.</summary>
        public Stage Stage { get; private set; }

        /// <summary>Why there is no picture. "" if nothing is wrong.</summary>
        public string Error { get; private set; } = "";

        private Job job;
        private Coroutine reading;
        private Task<Model> opening;
        private UnityWebRequest request;
        private ulong seen;
        private Action look;
        private bool news, finishes;

        private void OnEnable()
        {
            if (playOnEnable) Play();
        }

        private void OnDisable() => Cancel();

        private void OnDestroy()
        {
            if (Texture != null) Destroy(Texture);
            Texture = null;
        }

        /// <summary>Draws a new picture. It cancels the one that is being drawn.</summary>
        public void Play()
        {
            Cancel();
            Error = "";
            Progress = 0;
            Stage = Stage.Loading;
            if (model == null)
            {
                Fail("there is no model; make one by Create > diffuse > Model, and give it to the player");
                return;
            }
            if (model.IsPacked) reading = StartCoroutine(Read());
            else Begin((request, own) => Job.Open(model.Place, request, own));
        }

        /// <summary>Cancels the picture that is being drawn. The texture keeps what it shows.</summary>
        public void Cancel()
        {
            if (reading != null) StopCoroutine(reading);
            reading = null;
            request?.Dispose();
            request = null;
            // A model that is open by then is freed when its opening is over.
            opening?.ContinueWith(task => task.Result.Dispose(), TaskContinuationOptions.OnlyOnRanToCompletion);
            opening = null;
            DiffuseOwner.Free(job);
            job = null;
        }

        private void Update()
        {
            if (job == null) return;
            news = finishes = false;
            Guarded(look ?? (look = Look));
            // Exceptions of the game's listeners are not caught here.
            if (finishes) finished.Invoke(Texture);
            else if (news) changed.Invoke(Texture);
        }

        private void Look()
        {
            var state = job.Poll();
            var progress = job.Progress;
            Stage = progress.Stage;
            Progress = progress.Total > 0 ? (float)progress.Done / progress.Total : 0;
            if (state == JobState.Stopped)
            {
                Fail(job.Error?.Message ?? "it was cancelled");
                return;
            }
            if (state == JobState.Finished)
            {
                Upload(true);
                DiffuseOwner.Free(job);
                job = null;
                finishes = true;
            }
            else
            {
                news = job.Estimates != seen && Upload(false);
            }
        }

        /// <summary>Writes the texture, whose rows begin at the bottom, as Unity's do.</summary>
        private unsafe bool Upload(bool result)
        {
            var estimates = job.Estimates;
            if (Texture == null || seen == 0)
            {
                // The shape is known by now.
                if (!result && estimates == 0) return false;
                var shape = job.Shape;
                if (shape.Length != 4) throw new InvalidOperationException("the model draws no pictures, but values of " + shape.Length + " axes");
                int width = shape[3], height = shape[2];
                if (Texture == null || Texture.width != width || Texture.height != height)
                {
                    if (Texture != null) Destroy(Texture);
                    Texture = new Texture2D(width, height, TextureFormat.RGBA32, false) { filterMode = filterMode, name = "diffuse" };
                }
            }
            var data = Texture.GetRawTextureData<byte>();
            var address = (IntPtr)NativeArrayUnsafeUtility.GetUnsafePtr(data);
            var stride = 4 * Texture.width;
            if (result) job.ReadPixels(0, address, data.Length, stride, true);
            else if (!job.TryPreviewPixels(0, address, data.Length, stride, true)) return false;
            Texture.Apply(false);
            seen = estimates;
            return true;
        }

        private Request Request()
        {
            var request = new Request();
            try
            {
                request.SetSeed((ulong)seed);
                if (className.Length > 0) request.SetClass(className);
                if (prompt.Length > 0) request.SetPrompt(prompt);
                if (negativePrompt.Length > 0) request.SetNegativePrompt(negativePrompt);
                if (steps > 0) request.Set("steps", steps);
                foreach (var option in options) request.Set(option.name, option.value);
                if (Guidance != null) request.SetGuidance(Guidance);
                return request;
            }
            catch
            {
                request.Dispose();
                throw;
            }
        }

        private void Begin(Func<Request, ModelOptions, Job> open)
        {
            Guarded(() =>
            {
                using (var request = Request())
                using (var own = model.Options())
                {
                    job = DiffuseOwner.Own(open(request, own));
                    seen = 0;
                    job.Start();
                }
            });
        }

        /// <summary>Reads a model from a package. The bytes of a file go to the worker as they are. A thread of the
        /// pool opens those of a folder.</summary>
        private IEnumerator Read()
        {
            var names = model.files.Count > 0 ? model.files : new List<string> { "" };
            var files = new Dictionary<string, byte[]>();
            foreach (var name in names)
            {
                var place = name.Length > 0 ? model.Place + "/" + name : model.Place;
                request = UnityWebRequest.Get(place);
                yield return request.SendWebRequest();
                if (request.result != UnityWebRequest.Result.Success)
                {
                    reading = null;
                    Fail(place + ": " + request.error + "; the model has to lie in StreamingAssets, and a folder's files to be listed in the model's asset");
                    yield break;
                }
                files[name] = request.downloadHandler.data;
                request.Dispose();
                request = null;
            }
            if (model.files.Count == 0)
            {
                // The manifest, if there is one beside the model.
                request = UnityWebRequest.Get(Path.ChangeExtension(model.Place, ".diffuse.json"));
                yield return request.SendWebRequest();
                var manifest = request.result == UnityWebRequest.Result.Success ? Encoding.UTF8.GetString(request.downloadHandler.data) : null;
                request.Dispose();
                request = null;
                reading = null;
                Begin((drawn, own) => Job.Open(files[""], drawn, manifest == null ? own : own.SetManifest(manifest)));
                yield break;
            }
            Guarded(() =>
            {
                var asked = model.Options();
                opening = Task.Run(() =>
                {
                    using (asked) return Model.Open(files, asked);
                });
            });
            if (opening == null)
            {
                reading = null;
                yield break;
            }
            while (!opening.IsCompleted) yield return null;
            var opened = opening;
            opening = null;
            reading = null;
            Guarded(() =>
            {
                // It throws what the opening failed with.
                using (var own = opened.GetAwaiter().GetResult()) Begin((request, unused) => new Job(own, request));
            });
        }

        private void Guarded(Action action)
        {
            try
            {
                action();
            }
            catch (ObjectDisposedException)
            {
                // Scripts are being reloaded, or the game ends.
                DiffuseOwner.Free(job);
                job = null;
            }
            catch (DllNotFoundException exception)
            {
                Fail(exception.Message + ": the library for this platform is not in the package's Plugins folder");
            }
            catch (Exception exception)
            {
                Fail(exception.Message);
            }
        }

        private void Fail(string why)
        {
            DiffuseOwner.Free(job);
            job = null;
            Error = why;
            Debug.LogError("diffuse: " + why, this);
            failed.Invoke(why);
        }
    }
}
