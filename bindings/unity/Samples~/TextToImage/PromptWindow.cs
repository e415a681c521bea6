using Diffuse.Unity;
using UnityEngine;

/// <summary>A prompt, a bar and a button for a player whose model is the folder of a pipeline.</summary>
[RequireComponent(typeof(DiffusePlayer))]
public sealed class PromptWindow : MonoBehaviour
{
    private DiffusePlayer player;

    private void Awake() => player = GetComponent<DiffusePlayer>();

    private void OnGUI()
    {
        player.prompt = GUILayout.TextField(player.prompt, GUILayout.Width(512));
        if (!player.IsPlaying && GUILayout.Button("Draw")) player.Play();
        if (player.IsPlaying && GUILayout.Button("Cancel")) player.Cancel();
        if (player.IsPlaying) GUILayout.HorizontalSlider(player.Progress, 0, 1);
        GUILayout.Label(player.IsPlaying ? player.Stage.ToString() : player.Error);
        if (player.Texture != null) GUILayout.Label(player.Texture);
    }
}
