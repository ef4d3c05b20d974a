"""FFmpeg's options for network addresses: those that follow from the settings, and the names of all. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from streamer.config.source import SourceSettings
from streamer.errors import ConfigError
from streamer.network import certificates
from streamer.system.suggestions import did_you_mean

_TRANSPORTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "tcp": {"rtsp_transport": "tcp"},
        "udp": {"rtsp_transport": "udp"},
        "prefer_tcp": {"rtsp_flags": "prefer_tcp"},
    }
)
# Without these the first frame is 1.1 s old and opening takes 1.2 s; with them 46 ms and 0.05 s (RTSP over TCP). Not
# `fflags=nobuffer`: it discards what was read while opening, and with it the keyframe that some cameras start with.
LOW_LATENCY = MappingProxyType({"analyzeduration": "0", "probesize": "32", "fpsprobesize": "0"})
# A shorter probe finds no stream in other formats: the frame size is only known from the data. The frame rate is not
# probed, which takes three frames (six seconds at half a frame per second); it is read from the codec's header.
PROBED = MappingProxyType({"analyzeduration": "500000", "probesize": "500000", "fpsprobesize": "0"})
# By default FFmpeg does not check sequence numbers over TCP. But packets are lost there too: if a camera writes text
# between packets, the search for the next packet skips some. With a reorder queue of two, packets in sequence are
# returned at once as before. A packet after a gap waits for the next one, and then FFmpeg logs the gap.
_REPORT_GAPS = MappingProxyType({"reorder_queue_size": "2"})
# Otherwise a burst larger than the socket's buffer is lost.
_DATAGRAM_BUFFERS = MappingProxyType({"buffer_size": "4000000", "fifo_size": "50000", "overrun_nonfatal": "1"})

# What av_opt_next lists in FFmpeg 8.1.2 (libavformat 62.12.102) for AVFormatContext, the protocols http, tcp, tls, udp,
# rtp, srtp, rtmp, httpproxy and crypto, and the demuxers rtsp, sdp, rtp, mpjpeg, hls, mpegts, flv, mjpeg,
# mov, image2 and asf.
NAMES = frozenset(
    """
activation_bytes advanced_editlist allowed_extensions allowed_media_types allowed_segment_extensions analyzeduration
audible_fixed_key audible_iv audible_key audio_preload auth_type avioflags avoid_negative_ts bitrate block broadcast
buffer_size burst_bits ca_file cafile cert cert_file cert_pem chunk_duration chunk_size chunked_post codec_whitelist
connect content_type cookies correct_ts_overflow cryptokey decryption_iv decryption_key decryption_keys dscp
dump_separator duration_probesize enable_drefs encryption_iv encryption_key end_offset err_detect export_all
export_path_metadata export_xmp extension_picky external_sock f_err_detect f_strict fdebug fec fflags ffrtmphttp_tls
fifo_size fix_teletext_pts flush_packets flv_full_metadata flv_ignore_prevtag flv_metadata format_whitelist
formatprobesize fpsprobesize framerate headers http_multiple http_persistent http_proxy http_seekable http_version
icy icy_metadata_headers icy_metadata_packet ignore_chapters ignore_editlist indexmem initial_pause
initial_request_size interleaved_read iv key key_file key_pem listen listen_timeout live_start_index local_addr
local_port local_rtcpport local_rtpport localaddr localport localrtcpport localrtpport location loop
m3u8_hold_counters max_delay max_interleave_delta max_packet_size max_port max_probe_packets max_redirects
max_reload max_streams max_stts_delta max_ts_probe merge_pmt_versions metadata metadata_header_padding method
mime_type min_port mtu multiple_requests no_resync_search offset output_ts_offset overrun_nonfatal packetsize
pattern_type pixel_format pkt_size post_data prefer_x_start probesize protocol_blacklist protocol_whitelist
raw_packet_size reconnect reconnect_at_eof reconnect_delay_max reconnect_delay_total_max reconnect_max_retries
reconnect_on_http_error reconnect_on_network_error reconnect_streamed recv_buffer_size referer reorder_queue_size
reply_code request_size resource respect_retry_after resync_size reuse reuse_socket rtbufsize rtcp_port rtcpport
rtmp_app rtmp_buffer rtmp_conn rtmp_enhanced_codecs rtmp_flashver rtmp_flush_interval rtmp_listen rtmp_live
rtmp_pageurl rtmp_playpath rtmp_subscribe rtmp_swfhash rtmp_swfsize rtmp_swfurl rtmp_swfverify rtmp_tcurl rtp_flags
rtpflags rtsp_flags rtsp_transport rw_timeout scan_all_pmts sdp_flags seek2any seek_streams_individually seekable
seg_format_options seg_max_retry send_buffer_size send_expect_100 short_seek_size skip_changes skip_clear
skip_estimate_duration_from_pts skip_initial_bytes skip_unknown_pmt sources srtp_in_params srtp_in_suite
srtp_out_params srtp_out_suite start_number start_number_range start_time_realtime strict strict_mime_boundary
tcp_keepalive tcp_mss tcp_nodelay timeout tls_verify ts_from_file ts_id ts_packetsize ttl udplite_coverage
use_absolute_path use_mfra_for use_srtp use_tfdt use_wallclock_as_timestamps user_agent verify verifyhost video_size
write_to_source
""".split()  # noqa: SIM905 - a line each would be three screens
)


def ffmpeg_options(settings: SourceSettings, scheme: str, transport: str, *, thorough: bool = False) -> dict[str, str]:
    """The options of the demuxer and its protocol.

    Args:
        settings: the user's `options` override all others.
        scheme: of the address, in lower case.
        transport: of RTSP.
        thorough: analyse the streams for as long as that takes.
    """
    options: dict[str, str] = {}
    is_rtsp = scheme in ("rtsp", "rtsps")
    if settings.low_latency and not thorough:
        options |= LOW_LATENCY if is_rtsp else PROBED
    if is_rtsp:
        options |= _TRANSPORTS[transport]
        if transport == "tcp":
            options |= _REPORT_GAPS
    if scheme in ("udp", "rtp"):
        options |= _DATAGRAM_BUFFERS
    if scheme in ("https", "rtsps", "rtmps") and settings.verify:
        options |= {"tls_verify": "1", "ca_file": certificates.authorities()}
    return options | settings.options


def check_names(names: Iterable[str]) -> None:
    """Check that every option is one of FFmpeg's, which ignores unknown options.

    Raises:
        ConfigError: an unknown option.
    """
    for name in names:
        if name not in NAMES:
            remedy = did_you_mean(name, sorted(NAMES), otherwise="see its documentation of protocols and demuxers")
            raise ConfigError(f"source.options: FFmpeg has no option {name!r} for network addresses; {remedy}")
