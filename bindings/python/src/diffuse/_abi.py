"""The functions, types and constants of diffuse.h for ctypes. Generated from the header by its test. Do not edit."""

from __future__ import annotations

from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from typing import Any

ELEMENT_F32 = 0
ELEMENT_F16 = 1
ELEMENT_BF16 = 2
ELEMENT_F64 = 3
ELEMENT_I64 = 4
ELEMENT_I32 = 5
ELEMENT_I16 = 6
ELEMENT_I8 = 7
ELEMENT_U64 = 8
ELEMENT_U32 = 9
ELEMENT_U16 = 10
ELEMENT_U8 = 11
ELEMENT_BOOL = 12
JOB_IDLE = 0
JOB_RUNNING = 1
JOB_FINISHED = 2
JOB_STOPPED = 3
JOB_PAUSED = 4
STAGE_LOADING = 0
STAGE_ENCODING = 1
STAGE_SAMPLING = 2
STAGE_DECODING = 3
BOTTOM_UP = 1
BGRA = 2
ALL_ITEMS = -1
OK = 0
ARGUMENT = 1
MODEL = 2
RUNTIME = 3
EVALUATION = 4
IO = 5
CANCELLED = 6
BUSY = 7
PANIC = 8
PROVIDER = 9
CALLBACK = 10
MEMORY = 11
NOT_YET = 12
VERSION = 100


class Cost(Structure):
    """The expected cost of a run."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("evaluations", c_uint64),
        ("peak_bytes", c_uint64),
        ("milliseconds", c_double),
        ("encoding_milliseconds", c_double),
        ("decoding_milliseconds", c_double),
    ]


Callback = CFUNCTYPE(c_int32, c_void_p, POINTER(c_float), c_size_t, c_void_p, c_size_t, c_void_p)
LogSink = CFUNCTYPE(None, c_int32, c_char_p, c_void_p)
Release = CFUNCTYPE(None, c_void_p)

FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "diffuse_model_denoise": (c_int32, [c_void_p, c_void_p, POINTER(c_float), c_size_t, c_size_t, c_double, c_double, c_double, c_void_p, POINTER(c_float)]),
    "diffuse_model_log_density": (c_int32, [c_void_p, c_void_p, POINTER(c_float), c_size_t, c_size_t, c_size_t, c_double, c_uint64, c_void_p, POINTER(c_double)]),
    "diffuse_model_variational_bound": (c_int32, [c_void_p, c_void_p, POINTER(c_float), c_size_t, c_size_t, c_char_p, c_uint64, c_void_p, POINTER(c_double)]),
    "diffuse_model_add_noise": (c_int32, [c_void_p, c_void_p, POINTER(c_float), c_size_t, c_size_t, c_double, c_uint64, POINTER(c_float)]),
    "diffuse_cancel_new": (c_int32, [POINTER(c_void_p)]),
    "diffuse_cancel_free": (None, [c_void_p]),
    "diffuse_cancel_cancel": (c_int32, [c_void_p]),
    "diffuse_error_message": (c_char_p, []),
    "diffuse_error_path": (c_char_p, []),
    "diffuse_error_errno": (c_int32, []),
    "diffuse_estimate_x": (POINTER(c_float), [c_void_p]),
    "diffuse_estimate_level": (c_int32, [c_void_p, POINTER(c_double), POINTER(c_double), POINTER(c_double)]),
    "diffuse_estimate_step": (c_int32, [c_void_p, POINTER(c_size_t), POINTER(c_size_t)]),
    "diffuse_estimate_shape": (c_int32, [c_void_p, POINTER(c_size_t), c_size_t, POINTER(c_size_t)]),
    "diffuse_estimate_time": (c_int32, [c_void_p, POINTER(c_double)]),
    "diffuse_estimate_input": (c_int32, [c_void_p, POINTER(POINTER(c_float)), POINTER(c_size_t)]),
    "diffuse_estimate_classes": (POINTER(c_int64), [c_void_p]),
    "diffuse_estimate_condition": (c_int32, [c_void_p, c_char_p, POINTER(c_int32), POINTER(c_void_p), POINTER(c_size_t), c_size_t, POINTER(c_size_t)]),
    "diffuse_estimate_is_cancelled": (c_int32, [c_void_p, POINTER(c_int32)]),
    "diffuse_job_new": (c_int32, [c_void_p, c_void_p, POINTER(c_void_p)]),
    "diffuse_job_open": (c_int32, [c_void_p, c_char_p, c_void_p, c_void_p, POINTER(c_void_p)]),
    "diffuse_job_open_bytes": (c_int32, [c_void_p, POINTER(c_uint8), c_size_t, c_void_p, c_void_p, POINTER(c_void_p)]),
    "diffuse_job_model": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "diffuse_job_free": (None, [c_void_p]),
    "diffuse_job_start_from": (c_int32, [c_void_p, POINTER(c_float), c_size_t]),
    "diffuse_job_step": (c_int32, [c_void_p, POINTER(c_int32)]),
    "diffuse_job_run": (c_int32, [c_void_p]),
    "diffuse_job_advance": (c_int32, [c_void_p, c_uint64, POINTER(c_int32)]),
    "diffuse_job_expected": (c_int32, [c_void_p, POINTER(c_uint64)]),
    "diffuse_job_start": (c_int32, [c_void_p]),
    "diffuse_job_start_for": (c_int32, [c_void_p, c_uint64]),
    "diffuse_job_pause": (c_int32, [c_void_p]),
    "diffuse_job_poll": (c_int32, [c_void_p, POINTER(c_int32)]),
    "diffuse_job_wait": (c_int32, [c_void_p, c_uint64, POINTER(c_int32)]),
    "diffuse_job_cancel": (c_int32, [c_void_p]),
    "diffuse_job_progress": (c_int32, [c_void_p, POINTER(c_size_t), POINTER(c_size_t)]),
    "diffuse_job_estimates": (c_int32, [c_void_p, POINTER(c_uint64)]),
    "diffuse_job_stage": (c_int32, [c_void_p, POINTER(c_int32), POINTER(c_size_t), POINTER(c_size_t)]),
    "diffuse_job_error": (c_int32, [c_void_p, POINTER(c_int32), c_char_p, c_size_t]),
    "diffuse_job_shape": (c_int32, [c_void_p, POINTER(c_size_t), c_size_t, POINTER(c_size_t)]),
    "diffuse_job_read": (c_int32, [c_void_p, POINTER(c_float), c_size_t]),
    "diffuse_job_latents": (c_int32, [c_void_p, POINTER(c_float), c_size_t, POINTER(c_size_t)]),
    "diffuse_job_read_pixels": (c_int32, [c_void_p, c_size_t, POINTER(c_uint8), c_size_t, c_size_t, c_uint32]),
    "diffuse_job_snapshot": (c_int32, [c_void_p, POINTER(c_uint8), c_size_t, POINTER(c_size_t)]),
    "diffuse_job_restore": (c_int32, [c_void_p, POINTER(c_uint8), c_size_t]),
    "diffuse_job_preview": (c_int32, [c_void_p, POINTER(c_float), c_size_t]),
    "diffuse_job_preview_pixels": (c_int32, [c_void_p, c_size_t, POINTER(c_uint8), c_size_t, c_size_t, c_uint32]),
    "diffuse_log_set": (c_int32, [LogSink, c_void_p]),
    "diffuse_log_set_owned": (c_int32, [LogSink, c_void_p, Release]),
    "diffuse_model_options_new": (c_int32, [POINTER(c_void_p)]),
    "diffuse_model_options_free": (None, [c_void_p]),
    "diffuse_model_options_set_threads": (c_int32, [c_void_p, c_uint32]),
    "diffuse_model_options_set_spinning": (c_int32, [c_void_p, c_int32]),
    "diffuse_model_options_add_provider": (c_int32, [c_void_p, c_char_p]),
    "diffuse_model_options_add_provider_library": (c_int32, [c_void_p, c_char_p, c_char_p]),
    "diffuse_model_options_set_provider_option": (c_int32, [c_void_p, c_char_p, c_char_p, c_char_p]),
    "diffuse_model_options_set_cpu_nodes": (c_int32, [c_void_p, c_int32]),
    "diffuse_model_options_set_manifest": (c_int32, [c_void_p, c_char_p]),
    "diffuse_model_options_add_external_data": (c_int32, [c_void_p, c_char_p, POINTER(c_uint8), c_size_t]),
    "diffuse_model_options_set_copy_weights": (c_int32, [c_void_p, c_int32]),
    "diffuse_model_options_set_cancel": (c_int32, [c_void_p, c_void_p]),
    "diffuse_model_options_set_memory": (c_int32, [c_void_p, c_char_p]),
    "diffuse_model_options_set_priority": (c_int32, [c_void_p, c_char_p]),
    "diffuse_model_open": (c_int32, [c_void_p, c_char_p, c_void_p, POINTER(c_void_p)]),
    "diffuse_model_open_bytes": (c_int32, [c_void_p, POINTER(c_uint8), c_size_t, c_void_p, POINTER(c_void_p)]),
    "diffuse_model_open_parts": (c_int32, [c_void_p, POINTER(c_char_p), POINTER(POINTER(c_uint8)), POINTER(c_size_t), c_size_t, c_void_p, POINTER(c_void_p)]),
    "diffuse_model_open_callback": (c_int32, [c_char_p, Callback, c_void_p, POINTER(c_void_p)]),
    "diffuse_model_open_callback_owned": (c_int32, [c_char_p, Callback, c_void_p, Release, POINTER(c_void_p)]),
    "diffuse_model_trim": (c_int32, [c_void_p, c_void_p]),
    "diffuse_model_free": (None, [c_void_p]),
    "diffuse_model_name": (c_char_p, [c_void_p]),
    "diffuse_model_manifest": (c_char_p, [c_void_p]),
    "diffuse_model_provider": (c_char_p, [c_void_p]),
    "diffuse_model_placement": (c_char_p, [c_void_p]),
    "diffuse_model_sha256": (c_int32, [c_void_p, POINTER(c_char_p)]),
    "diffuse_model_shape": (c_int32, [c_void_p, POINTER(c_size_t), c_size_t, POINTER(c_size_t)]),
    "diffuse_model_class_count": (c_size_t, [c_void_p]),
    "diffuse_model_classes": (c_char_p, [c_void_p]),
    "diffuse_model_class": (c_int32, [c_void_p, c_char_p, POINTER(c_int64)]),
    "diffuse_model_level": (c_int32, [c_void_p, c_double, POINTER(c_double), POINTER(c_double)]),
    "diffuse_model_values": (c_int32, [c_void_p, POINTER(c_uint8), c_size_t, c_size_t, c_uint32, POINTER(c_float), c_size_t]),
    "diffuse_request_new": (c_int32, [POINTER(c_void_p)]),
    "diffuse_request_cost": (c_int32, [c_void_p, c_void_p, c_void_p, POINTER(Cost)]),
    "diffuse_request_free": (None, [c_void_p]),
    "diffuse_request_set_seed": (c_int32, [c_void_p, c_uint64]),
    "diffuse_request_set_count": (c_int32, [c_void_p, c_size_t]),
    "diffuse_request_set_classes": (c_int32, [c_void_p, POINTER(c_int64), c_size_t]),
    "diffuse_request_set_class": (c_int32, [c_void_p, c_int64, c_char_p]),
    "diffuse_request_set_negative_class": (c_int32, [c_void_p, c_int64, c_char_p]),
    "diffuse_request_set_shape": (c_int32, [c_void_p, POINTER(c_size_t), c_size_t]),
    "diffuse_request_set": (c_int32, [c_void_p, c_char_p, c_char_p]),
    "diffuse_request_set_number": (c_int32, [c_void_p, c_char_p, c_double]),
    "diffuse_request_set_scheduler_config": (c_int32, [c_void_p, c_char_p]),
    "diffuse_request_departures": (c_int32, [c_void_p, POINTER(c_char_p)]),
    "diffuse_request_unset": (c_int32, [c_void_p, c_char_p]),
    "diffuse_options": (c_char_p, []),
    "diffuse_request_set_prompt": (c_int32, [c_void_p, c_int64, c_char_p]),
    "diffuse_request_set_negative_prompt": (c_int32, [c_void_p, c_int64, c_char_p]),
    "diffuse_request_set_embeddings": (c_int32, [c_void_p, POINTER(c_float), c_size_t, c_size_t, c_size_t, POINTER(c_float), c_size_t, c_int32]),
    "diffuse_request_set_negative_classes": (c_int32, [c_void_p, POINTER(c_int64), c_size_t]),
    "diffuse_request_set_condition": (c_int32, [c_void_p, c_char_p, c_int32, c_void_p, POINTER(c_size_t), c_size_t, c_int32]),
    "diffuse_request_set_classifier": (c_int32, [c_void_p, c_void_p, POINTER(c_int64), c_size_t]),
    "diffuse_request_set_guidance_callback": (c_int32, [c_void_p, Callback, c_void_p]),
    "diffuse_request_set_guidance_callback_owned": (c_int32, [c_void_p, Callback, c_void_p, Release]),
    "diffuse_request_set_image": (c_int32, [c_void_p, POINTER(c_float), c_size_t]),
    "diffuse_request_set_mask": (c_int32, [c_void_p, POINTER(c_float), c_size_t]),
    "diffuse_runtime_open": (c_int32, [c_char_p, POINTER(c_void_p)]),
    "diffuse_runtime_of_host": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "diffuse_runtime_free": (None, [c_void_p]),
    "diffuse_runtime_path": (c_char_p, [c_void_p]),
    "diffuse_runtime_version": (c_char_p, [c_void_p]),
    "diffuse_runtime_providers": (c_char_p, [c_void_p]),
    "diffuse_status_name": (c_char_p, [c_int32]),
    "diffuse_version": (c_char_p, []),
    "diffuse_version_number": (c_uint32, []),
}
