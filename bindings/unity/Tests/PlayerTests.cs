using System.Collections;
using NUnit.Framework;
using UnityEngine;
using UnityEngine.TestTools;

namespace Diffuse.Unity.Tests
{
    /// <summary>For Unity's test runner, in play mode. Put sprites.onnx into StreamingAssets before.</summary>
    public sealed class PlayerTests
    {
        private static DiffusePlayer Player(string path)
        {
            var model = ScriptableObject.CreateInstance<DiffuseModel>();
            model.path = path;
            var holder = new GameObject("player");
            holder.SetActive(false);
            var player = holder.AddComponent<DiffusePlayer>();
            player.model = model;
            player.className = "heart";
            holder.SetActive(true);
            return player;
        }

        [UnityTest]
        public IEnumerator A_sprite_grows_and_is_there()
        {
            var player = Player("sprites.onnx");
            var uploads = 0;
            player.changed.AddListener(texture => uploads++);
            while (player.IsPlaying) yield return null;
            Assert.AreEqual("", player.Error);
            Assert.AreEqual(32, player.Texture.width);
            Assert.Greater(uploads, 0);
            Object.Destroy(player.gameObject);
        }

        [UnityTest]
        public IEnumerator What_is_missing_is_said()
        {
            LogAssert.ignoreFailingMessages = true;
            var player = Player("nothing.onnx");
            while (player.IsPlaying) yield return null;
            StringAssert.Contains("nothing.onnx", player.Error);
            Object.Destroy(player.gameObject);
        }

        [UnityTest]
        public IEnumerator A_scene_is_left_while_it_draws()
        {
            var player = Player("sprites.onnx");
            yield return null;
            Object.Destroy(player.gameObject);
            yield return null;
            Assert.AreEqual(0, DiffuseOwner.Count);
        }
    }
}
