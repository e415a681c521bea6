using Diffuse;
using Diffuse.Unity;
using UnityEngine;

/// <summary>A texture without a seam. Guidance of the game's own lets the edges of every estimate meet. Add it beside a
/// player and a renderer, and turn off the player's "Play On Enable".</summary>
[RequireComponent(typeof(DiffusePlayer), typeof(Renderer))]
public sealed class TileableGuidance : MonoBehaviour
{
    [Tooltip("How many pixels at an edge are blended with those of the other one")] public int width = 4;

    private void Start()
    {
        var player = GetComponent<DiffusePlayer>();
        player.Guidance = Blend;
        player.finished.AddListener(texture =>
        {
            texture.wrapMode = TextureWrapMode.Repeat;
            GetComponent<Renderer>().material.mainTexture = texture;
        });
        player.Play();
    }

    // This runs on the worker, so it touches nothing of Unity's.
    private void Blend(Estimate estimate, Floats values)
    {
        var shape = estimate.Shape;
        int rows = shape[shape.Length - 2], columns = shape[shape.Length - 1];
        for (var plane = 0; plane < values.Length; plane += rows * columns)
        {
            for (var at = 0; at < width; at++)
            {
                var share = 0.5f * (width - at) / width;
                for (var row = 0; row < rows; row++) Meet(values, plane + row * columns + at, plane + row * columns + columns - 1 - at, share);
                for (var column = 0; column < columns; column++) Meet(values, plane + at * columns + column, plane + (rows - 1 - at) * columns + column, share);
            }
        }
    }

    private static void Meet(Floats values, int one, int other, float share)
    {
        float first = values[one], second = values[other];
        values[one] = first + share * (second - first);
        values[other] = second + share * (first - second);
    }
}
