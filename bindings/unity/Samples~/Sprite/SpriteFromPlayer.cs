using Diffuse.Unity;
using UnityEngine;

/// <summary>Shows a player's picture as a sprite, from its first estimate on. Add it beside a player and a
/// SpriteRenderer.</summary>
[RequireComponent(typeof(DiffusePlayer), typeof(SpriteRenderer))]
public sealed class SpriteFromPlayer : MonoBehaviour
{
    public float pixelsPerUnit = 16;

    private void Awake()
    {
        var player = GetComponent<DiffusePlayer>();
        player.changed.AddListener(Show);
        player.finished.AddListener(Show);
    }

    private void Show(Texture2D texture)
    {
        var shown = GetComponent<SpriteRenderer>();
        // The texture stays the same one. Only another one needs a new sprite.
        if (shown.sprite != null && shown.sprite.texture == texture) return;
        shown.sprite = Sprite.Create(texture, new Rect(0, 0, texture.width, texture.height), new Vector2(0.5f, 0.5f), pixelsPerUnit);
    }
}
