"""Which lines of a decoder's log mean that pixels may be wrong. A pure function; called by the thread that decodes.

FFmpeg uses the same log levels for what it could not decode and for irregularities: side data that is too short,
implausible timing, an unknown colour. Some cameras send such irregularities with every frame although every frame is
intact. The list below was made by reading every message of level WARNING or above that FFmpeg's decoders of H.264,
H.265, MJPEG, MPEG-4, MPEG-2, VP8, VP9 and AV1 and their shared code can log (libavcodec of FFmpeg 8.1 and 9.0). A line
that is not in the list counts as damage: a new message of a later version then keeps frames from the detector, which
is logged (`streamer.sources.live.analysis_watch`), instead of letting damaged frames through.
"""

from __future__ import annotations

import re

HARMLESS = (
    # Supplemental information (SEI) and other side data, which do not affect pixels.
    "SEI type",
    "Late SEI",
    "picture timing SEI",
    "Picture timing SEI payload too large",
    "recovery_frame_cnt",
    "referenced in buffering period",
    "num_sps_ids_minus1",
    "active_parameter_set_id",
    "film grain",
    "Dolby Vision",
    "DOVI",
    "RPU",
    # Timing, colour, pixel aspect ratio (VUI, HRD) and display information.
    "VUI",
    "time_scale/num_units_in_tick",
    "Clipping illegal num_reorder_frames",
    "Increasing reorder buffer",
    "num_reorder_pics out of range",
    "cpb_count",
    "nb_cpb",
    "vps_num_hrd_parameters",
    "invalid SAR",
    "Invalid SAR",
    "Unknown SAR index",
    "Invalid default display window",
    "Invalid cropping",
    "Displaying the whole video surface",
    "crop values invalid",
    "Unspecified colorspace",
    "frame_rate_index",
    "aspect ratio has forbidden 0 value",
    "Invalid horizontal or vertical size value",
    "interlaced frame in progressive sequence",
    "invalid frame_pred_frame_dct",
    "GOP header invalid",
    "ignoring GOP_START_CODE",
    "low_delay flag",
    "time_increment_bits",
    "vop not coded",
    "idr_pic_id is invalid",
    # Parameter sets that FFmpeg rejects. The previous set then stays valid; if there is none, or another is needed, the
    # slices fail with messages of their own.
    "sps_id",
    "SPS id out of range",
    "does not exist",
    "log2_max_frame_num_minus4",
    "log2_max_poc_lsb",
    "log2_max_pic_order_cnt_lsb",
    "offset_for_",
    "poc_cycle_length",
    "illegal POC type",
    "separate color planes",
    "height overflow",
    "delta scale",
    "scaling list",
    "sps_infer_scaling_list",
    "sps_rep_format_idx",
    "sps_num_palette_predictor_initializers",
    "max_dec_pic_buffering_minus1",
    "log2_min_cb_size",
    "log2_diff_max_min",
    "log2_min_tb_size",
    "log2_ctb_size",
    "CTB size out of range",
    "max_transform_hierarchy_depth",
    "max transform block size",
    "coded frame dimensions",
    "PCM bit",
    "short term R",
    "long term ref pics",
    "slice header RPS",
    "abs_delta_rps",
    "num_delta_pocs",
    "delta_poc",
    "level_idc",
    "layer",
    "calability",
    "direct_dep_type",
    "rep format",
    "rep_format",
    "Unexpected num_add_olss",
    "Invalid PTL index",
    "default refs in PPS",
    "diff_cu_qp_delta_depth",
    "pps_c",
    "num_tile_",
    "Invalid tile",
    "pps_beta_offset",
    "pps_tc_offset",
    "log2_parallel_merge_level",
    "chroma_qp_offset_list_len",
    "num_cm_ref_layers",
    "PpsActQpOffset",
    "pps_num_palette",
    "pps_id",
    "PPS id out of range",
    "SPS decoding failure, trying again",
    "Overread SPS",
    "Overread VPS",
    "Overread PPS",
    "avcC",
    "hvcC",
    "Invalid NAL unit size in extradata",
    "Error decoding the extradata",
    "VPS extension",
    "vps_",
    "max_sub_layers out of range",
    "PTL information",
    "chroma_format_idc",
    "bit depth",
    "too many reference frames",
    "reference overflow (pps)",
    "cb_qp_offset_list not tested yet",
    "cu_chroma_qp_offset_idx not yet tested",
    "Ignoring multiple VOL headers",
    "ignoring SEQ_START_CODE",
    "ignoring seq ext",
    # JPEG segments other than coded data, and missing or repeated end markers. For a truncated scan FFmpeg logs
    # "overread" or an error in a block.
    "APP fields",
    "decode_app parser",
    "app: invalid len",
    "com: invalid len",
    "in APP2",
    "ICC",
    "EXIF",
    "LJIF",
    "displaymatrix",
    "EOI missing, emulating",
    "Found EOI before any SOF",
    # Units that FFmpeg skips; a frame without other units fails as a whole.
    "data partitioning",
    # Unused references to be removed are missing. For a needed one FFmpeg logs "Missing reference picture".
    "mmco: unref short failure",
    "mmco: unref long failure",
    # Messages of FFmpeg about itself, and second lines of messages.
    "Possibly too many slices",
    "Low delay mode requested",
    "Picture changed from size",
    "is not implemented. Update your FFmpeg",
    "If you want to help, upload a sample",
)
"""Parts of messages that do not concern pixels."""

_SKIPPED_UNIT = re.compile(r"Failed to parse header of NALU \(type (\d+)\)|Skipping invalid undecodable NALU: (\d+)")
_H264_SLICES = (1, 5)  # FFmpeg decodes no others: it skips data partitions (2 to 4) and extensions (20)
_H265_LAST_SLICE = 31  # H.265, table 7-1: VCL units are below 32


def means_damage(decoder: str, text: str) -> bool:
    """Whether pixels may be wrong after a decoder logged this line.

    Args:
        decoder: its FFmpeg name.
        text: a line of level WARNING or above.
    """
    if unit := _SKIPPED_UNIT.search(text):
        kind = int(unit[1] or unit[2])
        return kind <= _H265_LAST_SLICE if decoder == "hevc" else kind in _H264_SLICES
    return not any(part in text for part in HARMLESS)
