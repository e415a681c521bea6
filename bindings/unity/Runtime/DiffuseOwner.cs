using System;
using System.Collections.Generic;
using UnityEngine;

namespace Diffuse.Unity
{
    /// <summary>It owns every job and model of the game. It frees them before scripts are reloaded and before the game
    /// ends, since a worker in a callback of the old domain would hold up the reload. Use it on the main thread
    /// alone.</summary>
    public static class DiffuseOwner
    {
        private static readonly List<IDisposable> Owned = new List<IDisposable>();
        private static bool isWatching;

        /// <summary>How many objects it owns.</summary>
        public static int Count => Owned.Count;

        /// <summary>Owns an object until <see cref="Free"/>.</summary>
        public static T Own<T>(T thing) where T : class, IDisposable
        {
            Watch();
            Owned.Add(thing);
            return thing;
        }

        /// <summary>Frees an object. null is fine.</summary>
        public static void Free(IDisposable thing)
        {
            if (thing == null) return;
            Owned.Remove(thing);
            thing.Dispose();
        }

        /// <summary>Frees everything. It cancels all jobs first, and then waits for them.</summary>
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
                    // It was disposed of already.
                }
            }
            foreach (var thing in Owned) thing.Dispose();
            Owned.Clear();
            Log.Set(null);
            // Without a reload of the domain the next play begins with the statics of this one.
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
