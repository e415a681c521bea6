using System;
using System.Collections.Generic;
using System.IO;
using UnityEngine;

namespace Diffuse.Unity
{
    /// <summary>The model that a player draws from, and how it is opened. It is an asset, so that several players share
    /// it. The file or folder lies in StreamingAssets, which every build takes along as it is.</summary>
    [CreateAssetMenu(menuName = "diffuse/Model", fileName = "Model")]
    public sealed class DiffuseModel : ScriptableObject
    {
        [Tooltip("A model's file, or a pipeline's folder, by its path in StreamingAssets: sprites.onnx")]
        public string path = "sprites.onnx";

        [Tooltip("Android keeps StreamingAssets in its package, where a folder cannot be listed: the paths of its files")]
        public List<string> files = new List<string>();

        [Tooltip("Gives way to the game's frames")]
        public bool background = true;

        [Tooltip("Threads of one evaluation; 0 leaves a core to the game where there are more than two")]
        [Range(0, 64)] public int threads;

        [Tooltip("What becomes of a pipeline's parts between their stages: keep, stage, or bytes such as 4G")]
        public string memory = Memory.Keep;

        [Tooltip("Execution providers in the order wanted; none is the CPU")]
        public List<string> providers = new List<string>();

        /// <summary>Where the model lies. In an Android package that is no file, and a web request reads it.</summary>
        public string Place => Path.Combine(Application.streamingAssetsPath, path);

        /// <summary>Whether a web request has to read it.</summary>
        public bool IsPacked => Place.Contains("://");

        /// <summary>The options that it is opened with.</summary>
        public ModelOptions Options()
        {
            var options = new ModelOptions();
            try
            {
                options.SetPriority(background ? Priority.Background : Priority.Normal).SetThreads(threads).SetMemory(memory);
                foreach (var provider in providers) options.AddProvider(provider);
                return options;
            }
            catch
            {
                options.Dispose();
                throw;
            }
        }
    }

    /// <summary>An option of a request, as an inspector edits it.</summary>
    [Serializable]
    public struct DiffuseOption
    {
        /// <summary>Its name.</summary>
        public string name;

        /// <summary>Its value, as text.</summary>
        public string value;
    }
}
