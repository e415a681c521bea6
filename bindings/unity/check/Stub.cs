// What of Unity's public scripting reference the package uses, and no more, written for its tests: each type with the
// page that names its members (https://docs.unity3d.com/ScriptReference/PAGE.html), beside what the tests need to play
// Unity themselves (Engine, and fields such as Shown and Gone). It keeps Unity's rules that a plugin can break: Unity's
// objects are touched on the main thread alone, and a texture shows what Apply() has uploaded. No file of Unity's was read.
using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Threading;

namespace UnityEngine
{
    // ---- the tests' own: what Unity is otherwise ----

    public static class Engine
    {
        private static readonly int Main = Thread.CurrentThread.ManagedThreadId;
        public static readonly List<string> Console = new List<string>();
        public static readonly List<MonoBehaviour> Scene = new List<MonoBehaviour>();

        public static void OnMain(string what)
        {
            if (Thread.CurrentThread.ManagedThreadId != Main) throw new InvalidOperationException(what + " can only be called from the main thread");
        }

        public static T Add<T>(Action<T> set = null) where T : MonoBehaviour, new()
        {
            var added = new T { gameObject = new GameObject() };
            added.gameObject.Parts.Add(added);
            set?.Invoke(added);
            Scene.Add(added);
            Send(added, "Awake");
            Send(added, "OnEnable");
            Send(added, "Start");
            return added;
        }

        public static void Frame()
        {
            foreach (var one in Scene.ToArray())
            {
                Send(one, "Update");
                one.Resume();
            }
        }

        public static void Remove(MonoBehaviour one)
        {
            Scene.Remove(one);
            Send(one, "OnDisable");
            Send(one, "OnDestroy");
        }

        public static void Quit() => Application.Quit();

        private static void Send(MonoBehaviour to, string message)
        {
            try
            {
                to.GetType().GetMethod(message, BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public)?.Invoke(to, null);
            }
            catch (TargetInvocationException exception)
            {
                // Unity writes what a message throws to its console, and goes on.
                Console.Add("exception: " + exception.InnerException);
            }
        }
    }

    // ---- Unity's ----

    /// Object.html
    public class Object
    {
        public string name { get; set; } = "";
        public bool Gone;

        public static void Destroy(Object thing)
        {
            Engine.OnMain("Destroy");
            thing.Gone = true;
            (thing as Texture2D)?.Free();
        }

        public static bool operator ==(Object one, Object other)
        {
            bool none = ReferenceEquals(one, null) || one.Gone, noOther = ReferenceEquals(other, null) || other.Gone;
            return none || noOther ? none && noOther : ReferenceEquals(one, other);
        }

        public static bool operator !=(Object one, Object other) => !(one == other);
        public override bool Equals(object other) => ReferenceEquals(this, other);
        public override int GetHashCode() => base.GetHashCode();
    }

    /// GameObject.html
    public sealed class GameObject : Object
    {
        public readonly List<object> Parts = new List<object>();
    }

    /// Component.html
    public class Component : Object
    {
        public GameObject gameObject { get; set; }

        public T GetComponent<T>()
        {
            Engine.OnMain("GetComponent");
            foreach (var part in gameObject.Parts) if (part is T found) return found;
            return default(T);
        }
    }

    /// Behaviour.html, MonoBehaviour.html
    public class MonoBehaviour : Component
    {
        private readonly List<Coroutine> coroutines = new List<Coroutine>();

        public Coroutine StartCoroutine(IEnumerator routine)
        {
            Engine.OnMain("StartCoroutine");
            var coroutine = new Coroutine { Routine = routine };
            coroutines.Add(coroutine);
            Step(coroutine);
            return coroutine;
        }

        public void StopCoroutine(Coroutine coroutine)
        {
            Engine.OnMain("StopCoroutine");
            coroutines.Remove(coroutine);
        }

        public void Resume()
        {
            foreach (var coroutine in coroutines.ToArray())
                if (!(coroutine.Routine.Current is AsyncOperation operation) || operation.isDone) Step(coroutine);
        }

        private void Step(Coroutine coroutine)
        {
            if (!coroutine.Routine.MoveNext()) coroutines.Remove(coroutine);
        }
    }

    /// Coroutine.html
    public sealed class Coroutine { public IEnumerator Routine; }

    /// AsyncOperation.html
    public class AsyncOperation { public bool isDone { get; set; } }

    /// ScriptableObject.html
    public class ScriptableObject : Object
    {
        public static T CreateInstance<T>() where T : ScriptableObject, new() => new T();
    }

    /// Application.html
    public static class Application
    {
        public static string streamingAssetsPath { get; set; }
        public static event Action quitting;
        public static void Quit() => quitting?.Invoke();
    }

    /// Debug.html
    public static class Debug
    {
        public static void LogWarning(object message) { lock (Engine.Console) Engine.Console.Add("warning: " + message); }
        public static void LogError(object message, Object context) { lock (Engine.Console) Engine.Console.Add("error: " + message); }
    }

    /// FilterMode.html, TextureFormat.html, TextureWrapMode.html
    public enum FilterMode { Point, Bilinear, Trilinear }
    public enum TextureFormat { RGBA32 = 4, BGRA32 = 14 }
    public enum TextureWrapMode { Repeat, Clamp }

    /// Texture.html
    public class Texture : Object
    {
        public int width { get; protected set; }
        public int height { get; protected set; }
        public FilterMode filterMode { get; set; }
        public TextureWrapMode wrapMode { get; set; }
    }

    /// Texture2D.html, Texture2D.GetRawTextureData.html, Texture2D.Apply.html
    public sealed class Texture2D : Texture
    {
        private IntPtr data;
        // What the graphics card has.
        public byte[] Shown;

        public Texture2D(int width, int height, TextureFormat textureFormat, bool mipChain)
        {
            Engine.OnMain("Texture2D");
            this.width = width;
            this.height = height;
            data = Marshal.AllocHGlobal(4 * width * height);
            Shown = new byte[4 * width * height];
        }

        public Unity.Collections.NativeArray<T> GetRawTextureData<T>() where T : struct
        {
            Engine.OnMain("GetRawTextureData");
            if (data == IntPtr.Zero) throw new InvalidOperationException("the texture was destroyed");
            return new Unity.Collections.NativeArray<T>(data, Shown.Length / Marshal.SizeOf(typeof(T)));
        }

        public void Apply(bool updateMipmaps)
        {
            Engine.OnMain("Apply");
            Marshal.Copy(data, Shown, 0, Shown.Length);
        }

        public void Free()
        {
            Marshal.FreeHGlobal(data);
            data = IntPtr.Zero;
        }
    }

    /// Vector2.html, Rect.html
    public struct Vector2 { public Vector2(float x, float y) { } }
    public struct Rect { public Rect(float x, float y, float width, float height) { } }

    /// Sprite.html
    public sealed class Sprite : Object
    {
        public Texture2D texture { get; private set; }
        public static Sprite Create(Texture2D texture, Rect rect, Vector2 pivot, float pixelsPerUnit) => new Sprite { texture = texture };
    }

    /// Renderer.html, SpriteRenderer.html, Material.html
    public class Renderer : Component { public Material material { get; } = new Material(); }
    public sealed class SpriteRenderer : Renderer { public Sprite sprite { get; set; } }
    public sealed class Material : Object { public Texture mainTexture { get; set; } }

    /// GUILayout.html
    public sealed class GUILayoutOption { }
    public static class GUILayout
    {
        public static string Pressed = "";
        public static string TextField(string text, params GUILayoutOption[] options) => text;
        public static bool Button(string text, params GUILayoutOption[] options) => text == Pressed;
        public static void Label(string text, params GUILayoutOption[] options) { }
        public static void Label(Texture image, params GUILayoutOption[] options) { }
        public static float HorizontalSlider(float value, float leftValue, float rightValue, params GUILayoutOption[] options) => value;
        public static GUILayoutOption Width(float width) => new GUILayoutOption();
    }

    /// JsonUtility.html
    public static class JsonUtility
    {
        // As Unity does: public fields by their names, and what is not there stays as the constructor has it.
        public static T FromJson<T>(string json)
        {
            var at = 0;
            return (T)Read(json, ref at, typeof(T));
        }

        private static object Read(string json, ref int at, Type type)
        {
            Skip(json, ref at);
            if (json[at] == '{')
            {
                var made = type == null || type == typeof(string) ? null : Activator.CreateInstance(type);
                for (at++; Skip(json, ref at) != '}'; at += json[at] == ',' ? 1 : 0)
                {
                    var name = (string)Read(json, ref at, typeof(string));
                    Skip(json, ref at);
                    at++;
                    var field = made?.GetType().GetField(name);
                    var value = Read(json, ref at, field?.FieldType);
                    if (field != null && value != null) field.SetValue(made, value);
                    Skip(json, ref at);
                }
                at++;
                return made;
            }
            if (json[at] == '[')
            {
                var of = type != null && type.IsArray ? type.GetElementType() : null;
                var list = new List<object>();
                for (at++; Skip(json, ref at) != ']'; at += json[at] == ',' ? 1 : 0)
                {
                    list.Add(Read(json, ref at, of));
                    Skip(json, ref at);
                }
                at++;
                if (of == null) return null;
                var array = Array.CreateInstance(of, list.Count);
                for (var i = 0; i < list.Count; i++) array.SetValue(list[i], i);
                return array;
            }
            var start = at;
            if (json[at] == '"')
            {
                for (at++; json[at] != '"'; at++) if (json[at] == '\\') at++;
                at++;
                return type == typeof(string) ? System.Text.RegularExpressions.Regex.Unescape(json.Substring(start + 1, at - start - 2)) : null;
            }
            while (",]}".IndexOf(json[at]) < 0) at++;
            return null;
        }

        private static char Skip(string json, ref int at)
        {
            while (char.IsWhiteSpace(json[at])) at++;
            return json[at];
        }
    }

    /// TooltipAttribute.html, TextAreaAttribute.html, RangeAttribute.html, CreateAssetMenuAttribute.html,
    /// AddComponentMenu.html, RequireComponent.html
    public sealed class TooltipAttribute : Attribute { public TooltipAttribute(string tooltip) { } }
    public sealed class TextAreaAttribute : Attribute { }
    public sealed class RangeAttribute : Attribute { public RangeAttribute(float min, float max) { } }
    public sealed class CreateAssetMenuAttribute : Attribute { public string menuName { get; set; } public string fileName { get; set; } }
    public sealed class AddComponentMenu : Attribute { public AddComponentMenu(string menuName) { } }
    public sealed class RequireComponent : Attribute
    {
        public RequireComponent(Type requiredComponent) { }
        public RequireComponent(Type requiredComponent, Type requiredComponent2) { }
    }
}

namespace AOT
{
    /// Manual/ios-native-plugin-call-back.html
    public sealed class MonoPInvokeCallbackAttribute : Attribute { public MonoPInvokeCallbackAttribute(Type type) { } }
}

namespace UnityEngine.Events
{
    /// Events.UnityEvent_1.html
    public class UnityEvent<T>
    {
        private Action<T> heard;
        public void AddListener(Action<T> call) => heard += call;
        public void Invoke(T argument) => heard?.Invoke(argument);
    }
}

namespace UnityEngine.Networking
{
    /// Networking.DownloadHandler.html
    public sealed class DownloadHandler { public byte[] data { get; set; } }

    /// Networking.UnityWebRequestAsyncOperation.html
    public sealed class UnityWebRequestAsyncOperation : AsyncOperation { }

    /// Networking.UnityWebRequest.html
    public sealed class UnityWebRequest : IDisposable
    {
        public enum Result { InProgress, Success, ConnectionError, ProtocolError, DataProcessingError }

        private string file;
        public Result result { get; private set; }
        public string error { get; private set; }
        public DownloadHandler downloadHandler { get; } = new DownloadHandler();

        public static UnityWebRequest Get(string uri) => new UnityWebRequest { file = uri.Substring(uri.IndexOf("://", StringComparison.Ordinal) + 3) };

        public UnityWebRequestAsyncOperation SendWebRequest()
        {
            Engine.OnMain("SendWebRequest");
            if (File.Exists(file)) (downloadHandler.data, result) = (File.ReadAllBytes(file), Result.Success);
            else (error, result) = ("HTTP/1.1 404 Not Found", Result.ProtocolError);
            return new UnityWebRequestAsyncOperation { isDone = true };
        }

        public void Dispose() { }
    }
}

namespace Unity.Collections
{
    /// Unity.Collections.NativeArray_1.html
    public struct NativeArray<T> where T : struct
    {
        public readonly IntPtr Data;
        public NativeArray(IntPtr data, int length) { Data = data; Length = length; }
        public int Length { get; }
    }
}

namespace Unity.Collections.LowLevel.Unsafe
{
    /// Unity.Collections.LowLevel.Unsafe.NativeArrayUnsafeUtility.GetUnsafePtr.html
    public static unsafe class NativeArrayUnsafeUtility
    {
        public static void* GetUnsafePtr<T>(NativeArray<T> nativeArray) where T : struct => (void*)nativeArray.Data;
    }
}

namespace UnityEditor
{
    using UnityEngine;

    /// AssemblyReloadEvents.html, AssemblyReloadEvents-beforeAssemblyReload.html
    public static class AssemblyReloadEvents
    {
        public delegate void AssemblyReloadCallback();
        public static event AssemblyReloadCallback beforeAssemblyReload;
        public static void Reload() => beforeAssemblyReload?.Invoke();
    }

    /// Editor.html, CustomEditor.html
    public class Editor : ScriptableObject
    {
        public Object target { get; set; }
        public bool DrawDefaultInspector() => true;
        public virtual void OnInspectorGUI() { }
    }
    public sealed class CustomEditor : Attribute { public CustomEditor(Type inspectedType) { } }

    /// MessageType.html, EditorGUILayout.html
    public enum MessageType { None, Info, Warning, Error }
    public static class EditorGUILayout
    {
        public static readonly List<string> Boxes = new List<string>();
        public static int Chosen = -1;
        public static void HelpBox(string message, MessageType type) => Boxes.Add(message);
        public static int Popup(string label, int selectedIndex, string[] displayedOptions, params GUILayoutOption[] options) => Chosen >= 0 && Chosen < displayedOptions.Length ? Chosen : selectedIndex;
    }

    /// Undo.html
    public static class Undo { public static void RecordObject(Object objectToUndo, string name) { } }
}
