using System;
using System.Collections.Generic;
using UnityEngine;

namespace Diffuse.Unity
{
    /// <summary>Owns every job and model of the game, and lets go of them before scripts are reloaded and before the game
    /// ends: a worker that is in a callback of a domain that goes away would hold it up. On the main thread
    /// alone.</summary>
    public static class DiffuseOwner
    {
        private static readonly List<IDisposable> Owned = new List<IDisposable>();
        private static bool isWatching;

        /// <summary>How many there are.</summary>
        public static int Count => Owned.Count;

        /// <summary>Owns it until <see cref="Free"/>.</summary>
        public static T Own<T>(T thing) where T : class, IDisposable
        {
            Watch();
            Owned.Add(thing);
            return thing;
        }

        /// <summary>Lets go of it; null is fine.</summary>
        public static void Free(IDisposable thing)
        {
            if (thing == null) return;
            Owned.Remove(thing);
            thing.Dispose();
        }

        /// <summary>Lets go of everything: jobs are cancelled first, all of them, and then waited for.</summary>
        public static void FreeAll()
        {
            foreach (var thing in Owned)
            {
                try
                {
                    (thing as Job)?.Cancel();
                }
                catch (ObjectDisposedException)
                {
                    // Whoever disposed of it had it before.
                }
            }
            foreach (var thing in Owned) thing.Dispose();
            Owned.Clear();
            Log.Set(null);
            // Where domains are not reloaded the next play begins with this one's statics.
            isWatching = false;
            Application.quitting -= FreeAll;
#if UNITY_EDITOR
            UnityEditor.AssemblyReloadEvents.beforeAssemblyReload -= FreeAll;
#endif
        }

        private static void Watch()
        {
            if (isWatching) return;
            isWatching = true;
            Application.quitting += FreeAll;
#if UNITY_EDITOR
            UnityEditor.AssemblyReloadEvents.beforeAssemblyReload += FreeAll;
#endif
            Log.Set((severity, message) =>
            {
                if (severity >= Severity.Warning) Debug.LogWarning("diffuse: " + message);
            });
        }
    }
}
