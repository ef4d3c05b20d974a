/**
 * The live picture of one camera on a stage: WebRTC, or JPEG frames over a WebSocket where that fails.
 *
 * Overlay messages have the RTP timestamp of their frame; boxes are drawn when the video shows that frame.
 */

import { address, request, socket } from "./api.js";
import { WhepConnection } from "./whep.js";

const NO_VIDEO_MS = 1000;
const GIVEN_UP_MS = 8000;
const STALLED_MS = 3000;
const AGAIN_MS = 60_000;
const MOST_SCENES = 120; // overlay messages that wait for their frame
const MISSING = "No video arrives by WebRTC. A firewall or a container may block the UDP ports of the server.";
const UNSENT = "WebRTC is connected, but the server sends no video. Its log may say why.";
const STALLED = "The video of WebRTC has stopped, although the camera sends frames.";

export class Player {
  /** How frames arrive: "WebRTC", "JPEG", or "" while none do. */
  way = "";
  /** Why it is not WebRTC, in plain words; empty if it is, or if it was not wanted. */
  reason = "";
  /** The newest message of the overlay; null before the first. */
  scene = null;

  #stage; #camera; #changed; #small;
  #overlay = null; #frames = null; #whep = null; #timers = []; #aborter = null;
  #scenes = new Map(); #shownRtp = null; #shownAt = 0;

  /**
   * @param {Stage} stage
   * @param {{camera: string, small?: boolean, changed?: () => void}} options `small`: small JPEG frames, for a tile;
   *   `changed` is called when `way` or `reason` changes
   */
  constructor(stage, { camera, small = false, changed = () => {} }) {
    this.#stage = stage;
    this.#camera = encodeURIComponent(camera);
    this.#small = small;
    this.#changed = changed;
  }

  get isPlaying() {
    return this.#aborter !== null;
  }

  /** Begin, or go on. */
  start() {
    if (this.isPlaying) return;
    this.#aborter = new AbortController();
    if (this.#small) return this.#openFrames();
    if (!this.#stage.hasPicture) this.#showSnapshot(this.#aborter.signal);
    this.#openOverlay();
  }

  /** End all connections; the last picture stays. */
  stop() {
    this.#aborter?.abort();
    this.#aborter = null;
    this.#stage.freeze();
    this.#leaveVideo();
    this.#overlay?.close();
    this.#frames?.close();
    this.#overlay = this.#frames = null;
    this.#tell("", this.reason);
  }

  /** Try WebRTC once more; JPEG frames go on until its video is there. */
  tryVideo() {
    if (!this.isPlaying || this.#whep) return;
    const { video } = this.#stage;
    if (!window.RTCPeerConnection || !video.requestVideoFrameCallback) return this.#fail("This browser does not show WebRTC frame by frame.");
    this.#whep = new WhepConnection(decodeURIComponent(this.#camera), video, (reason) => this.#fail(reason));
    video.requestVideoFrameCallback(this.#onVideoFrame);
    this.#shownAt = performance.now();
    this.#expectVideo();
  }

  /** JPEG frames take over soon; WebRTC may still connect. A camera that is lost sends no video by any way. */
  #expectVideo() {
    this.#later(NO_VIDEO_MS, () => {
      if (this.way === "WebRTC") return;
      if (this.scene?.state !== "running") return this.#expectVideo();
      const why = () => (this.#whep?.isConnected ? UNSENT : MISSING);
      this.#fallBack(why());
      this.#later(GIVEN_UP_MS - NO_VIDEO_MS, () => this.way !== "WebRTC" && this.#fail(why()));
    });
  }

  /** A snapshot, which is there before any video. */
  async #showSnapshot(signal) {
    try {
      const answer = await request("GET", `/cameras/${this.#camera}/snapshot.jpg`, { signal });
      const picture = await createImageBitmap(await answer.blob());
      if (!this.#stage.hasPicture) this.#stage.showPicture(picture);
      picture.close();
    } catch {
      // the camera has no frame yet; the video follows when it has
    }
  }

  // boxes and video

  #openOverlay() {
    this.#overlay = socket(`/cameras/${this.#camera}/overlay`, {
      open: () => this.tryVideo(),
      message: (scene) => this.#takeScene(scene),
      lost: () => this.#loseVideo(),
    });
  }

  #takeScene(scene) {
    if (scene.hello) return;
    this.scene = scene;
    if (this.#frames && this.way !== "WebRTC") return; // each JPEG frame has its own
    this.#scenes.set(scene.rtp, scene);
    if (this.#scenes.size > MOST_SCENES) this.#scenes.delete(this.#scenes.keys().next().value);
    if (scene.rtp === this.#shownRtp) this.#stage.paint(scene);
    if (this.way === "WebRTC" && scene.state === "running" && performance.now() - this.#shownAt > STALLED_MS) this.#fail(STALLED);
  }

  #onVideoFrame = (_, { rtpTimestamp }) => {
    if (!this.#whep) return;
    this.#stage.video.requestVideoFrameCallback(this.#onVideoFrame);
    this.#shownAt = performance.now();
    this.#shownRtp = rtpTimestamp;
    if (this.way !== "WebRTC") this.#beginVideo();
    const scene = rtpTimestamp === undefined ? this.scene : this.#scenes.get(rtpTimestamp); // not every browser tells it
    if (scene) this.#stage.paint(scene);
  };

  #beginVideo() {
    this.#frames?.close();
    this.#frames = null;
    this.#stage.showVideo();
    this.#tell("WebRTC", "");
  }

  /** The server has ended the overlay: it restarts, or the camera is gone. */
  #loseVideo() {
    this.#stage.freeze();
    this.#leaveVideo();
    this.#tell(this.#frames ? "JPEG" : "", this.reason);
  }

  #leaveVideo() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
    this.#whep?.close();
    this.#whep = null;
    this.#stage.video.srcObject = null; // no late frame of this connection counts as one of the next
    this.#scenes.clear();
    this.#shownRtp = null;
  }

  #fallBack(reason) {
    this.#stage.freeze();
    if (!this.#frames) this.#openFrames();
    this.#tell(this.way === "WebRTC" ? "" : this.way, reason);
  }

  /** WebRTC does not work: JPEG frames take over, and WebRTC is tried again later. */
  #fail(reason) {
    if (!this.isPlaying) return;
    this.#fallBack(reason);
    this.#leaveVideo();
    this.#later(AGAIN_MS, () => this.tryVideo());
  }

  // JPEG frames

  #openFrames() {
    let newest = 0;
    const channel = this.#frames = socket(address(`/cameras/${this.#camera}/frames`, this.#small ? { small: true } : null), {
      message: async (data) => {
        if (typeof data === "string" || !(data instanceof ArrayBuffer)) return;
        const mine = ++newest, { scene, jpeg } = parseFrame(data);
        const picture = await createImageBitmap(jpeg).catch(() => null);
        channel.send("shown");
        if (picture && channel === this.#frames && mine === newest && this.way !== "WebRTC") {
          this.scene = scene;
          this.#stage.showPicture(picture);
          this.#stage.paint(scene);
          this.#tell("JPEG", this.reason);
        }
        picture?.close();
      },
      lost: () => this.way === "JPEG" && this.#tell("", this.reason),
    });
  }

  #later(delay, action) {
    this.#timers.push(setTimeout(action, delay));
  }

  #tell(way, reason) {
    if (way === this.way && reason === this.reason) return;
    this.way = way;
    this.reason = reason;
    this.#changed();
  }
}

/** A message of WebSocket /frames: uint32 length of a JSON text, that text, a JPEG. */
function parseFrame(data) {
  const length = new DataView(data).getUint32(0);
  const scene = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  return { scene, jpeg: new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }) };
}
