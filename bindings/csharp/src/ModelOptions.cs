using System;

namespace Diffuse
{
    /// <summary>What becomes of a pipeline's parts that are not evaluated at the time.</summary>
    public static class Memory
    {
        /// <summary>They stay open. This is the default.</summary>
        public const string Keep = "keep";

        /// <summary>Each is given back when its stage of a run is over.</summary>
        public const string Stage = "stage";
    }

    /// <summary>The priority of a model's threads.</summary>
    public static class Priority
    {
        /// <summary>The priority of every other thread. This is the default.</summary>
        public const string Normal = "normal";

        /// <summary>They give way to what else the machine does, so that the host's frames go on.</summary>
        public const string Background = "background";
    }

    /// <summary>How a model is opened. New options suit a program that does other things as well. The functions
    /// diffuse_model_options_…() document each one.</summary>
    public sealed unsafe class ModelOptions : IDisposable
    {
        internal readonly ModelOptionsHandle Handle;

        /// <summary>Makes options.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_options_new/*'/>
        public ModelOptions() { Failure.Check(Native.diffuse_model_options_new(out Handle)); }

        /// <summary>How many threads one evaluation uses. 0 leaves a core to the host where there are more than two.
        /// Default: 0.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_options_set_threads/*'/>
        public ModelOptions SetThreads(int threads)
        {
            if (threads < 0) throw new ArgumentOutOfRangeException(nameof(threads), threads, "0 to 1024");
            Failure.Check(Native.diffuse_model_options_set_threads(Handle, (uint)threads));
            return this;
        }

        /// <summary>Whether idle threads spin while they wait. Default: false.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_options_set_spinning/*'/>
        public ModelOptions SetSpinning(bool spinning)
        {
            Failure.Check(Native.diffuse_model_options_set_spinning(Handle, spinning ? 1 : 0));
            return this;
        }

        /// <summary>The priority: <see cref="Priority.Normal"/> or <see cref="Priority.Background"/>.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_options_set_priority/*'/>
        public ModelOptions SetPriority(string priority)
        {
            Failure.Check(Native.diffuse_model_options_set_priority(Handle, Utf8.Bytes(priority, nameof(priority))));
            return this;
        }

        /// <summary>What becomes of a pipeline's parts between their stages: <see cref="Memory.Keep"/>,
        /// <see cref="Memory.Stage"/>, or a number of bytes such as "4G".</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_options_set_memory/*'/>
        public ModelOptions SetMemory(string policy)
        {
            Failure.Check(Native.diffuse_model_options_set_memory(Handle, Utf8.Bytes(policy, nameof(policy))));
            return this;
        }

        /// <summary>Adds an execution provider, in the order wanted.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_options_add_provider/*'/>
        public ModelOptions AddProvider(string name)
        {
            Failure.Check(Native.diffuse_model_options_add_provider(Handle, Utf8.Bytes(name, nameof(name))));
            return this;
        }

        /// <summary>Adds an execution provider from a plugin library.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_options_add_provider_library/*'/>
        public ModelOptions AddProviderLibrary(string name, string path)
        {
            Failure.Check(Native.diffuse_model_options_add_provider_library(Handle, Utf8.Bytes(name, nameof(name)), Utf8.Bytes(path, nameof(path))));
            return this;
        }

        /// <summary>Sets an option of a provider that was added. PROVIDERS.md lists the options.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_options_set_provider_option/*'/>
        public ModelOptions SetProviderOption(string provider, string key, string value)
        {
            Failure.Check(Native.diffuse_model_options_set_provider_option(Handle, Utf8.Bytes(provider, nameof(provider)), Utf8.Bytes(key, nameof(key)), Utf8.Bytes(value, nameof(value))));
            return this;
        }

        /// <summary>Whether the CPU may take the nodes that no provider takes. Default: false.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_options_set_cpu_nodes/*'/>
        public ModelOptions SetCpuNodes(bool allowed)
        {
            Failure.Check(Native.diffuse_model_options_set_cpu_nodes(Handle, allowed ? 1 : 0));
            return this;
        }

        /// <summary>A manifest, as JSON, instead of the model's own.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_options_set_manifest/*'/>
        public ModelOptions SetManifest(string json)
        {
            Failure.Check(Native.diffuse_model_options_set_manifest(Handle, Utf8.Bytes(json, nameof(json))));
            return this;
        }

        /// <summary>Whether weights in files of their own are read into memory. They are mapped otherwise. Default:
        /// false.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_options_set_copy_weights/*'/>
        public ModelOptions SetCopyWeights(bool copy)
        {
            Failure.Check(Native.diffuse_model_options_set_copy_weights(Handle, copy ? 1 : 0));
            return this;
        }

        /// <summary>Adds a file with weights, by its name in the model, for a model that is opened from
        /// bytes.</summary>
        /// <include file='diffuse.xml' path='docs/diffuse_model_options_add_external_data/*'/>
        public ModelOptions AddExternalData(string name, byte[] bytes)
        {
            if (bytes == null) throw new ArgumentNullException(nameof(bytes));
            fixed (byte* first = bytes)
                Failure.Check(Native.diffuse_model_options_add_external_data(Handle, Utf8.Bytes(name, nameof(name)), first, (UIntPtr)bytes.Length));
            return this;
        }

        internal static ModelOptionsHandle HandleOf(ModelOptions options) => options == null ? ModelOptionsHandle.None : options.Handle;

        /// <summary>Frees the options. Models that were opened with them stay.</summary>
        public void Dispose() => Handle.Dispose();
    }
}
