using System;
using System.Linq;
using UnityEditor;
using UnityEngine;

namespace Diffuse.Unity.Editor
{
    /// <summary>Shows a player with the classes of its model and the options of the library, each with its
    /// text.</summary>
    [CustomEditor(typeof(DiffusePlayer))]
    public sealed class DiffusePlayerEditor : UnityEditor.Editor
    {
        /// <summary>The library's description of an option. The names are those of its JSON.</summary>
        [Serializable]
        public sealed class Described
        {
            public string name = "";
            public string group = "";
            public string kind = "";
            public string text = "";
            public string default_text = "";
            public string[] choices = new string[0];
        }

        [Serializable]
        private sealed class List
        {
            public Described[] options = new Described[0];
        }

        private static Described[] described;
        private string[] classes = new string[0];
        private string classesOf = "";
        private int chosen;

        /// <summary>The options of a request.</summary>
        public static Described[] Options()
        {
            return described ?? (described = JsonUtility.FromJson<List>("{\"options\":" + Library.Options + "}").options);
        }

        public override void OnInspectorGUI()
        {
            DrawDefaultInspector();
            var player = (DiffusePlayer)target;
            try
            {
                Options();
            }
            catch (DllNotFoundException exception)
            {
                EditorGUILayout.HelpBox(exception.Message + ": the library for this system is not in the package's Plugins folder", MessageType.Error);
                return;
            }
            Classes(player);
            Add(player);
            foreach (var option in player.options)
            {
                var known = Options().FirstOrDefault(entry => entry.name == option.name);
                EditorGUILayout.HelpBox(known == null ? option.name + " is no option" : option.name + ": " + known.text, known == null ? MessageType.Warning : MessageType.None);
            }
            if (player.Error.Length > 0) EditorGUILayout.HelpBox(player.Error, MessageType.Error);
        }

        // The model is opened once for its classes, when the button is pressed.
        private void Classes(DiffusePlayer player)
        {
            if (player.model == null) return;
            if (player.model.Place != classesOf && GUILayout.Button("Read the model's classes"))
            {
                try
                {
                    using (var options = player.model.Options())
                    using (var model = Model.Open(player.model.Place, options)) classes = new[] { "(any)" }.Concat(model.Classes).ToArray();
                    classesOf = player.model.Place;
                }
                catch (Exception exception)
                {
                    Debug.LogError("diffuse: " + exception.Message, player.model);
                }
            }
            if (player.model.Place != classesOf || classes.Length == 0) return;
            var before = Math.Max(0, Array.IndexOf(classes, player.className));
            var at = EditorGUILayout.Popup("Class", before, classes);
            if (at == before) return;
            Undo.RecordObject(player, "Class");
            player.className = at == 0 ? "" : classes[at];
        }

        private void Add(DiffusePlayer player)
        {
            var names = Options().Select(entry => entry.group + "/" + entry.name).ToArray();
            chosen = EditorGUILayout.Popup("Option", chosen, names);
            if (!GUILayout.Button("Add the option")) return;
            Undo.RecordObject(player, "Option");
            var added = Options()[chosen];
            player.options.Add(new DiffuseOption { name = added.name, value = added.choices?.FirstOrDefault() ?? "" });
        }
    }
}
