/**
 * Sends the webcam of this browser to the server by WebRTC, and receives the boxes of each frame.
 *
 * A message has the RTP timestamp of its frame, which the browser does not tell to the page that sends it. The timestamp
 * counts the capture time in 1/90000 s from an unknown origin. The page finds the origin: the fastest answer took the time
 * that the server says, the time to encode, and the shortest round trip of the network, which the connection measures.
 */

import { request } from "./api.js";

const TICKS_PER_MS = 90, WRAP = 2 ** 32;
const KEPT_MS = 2000; // local pictures wait so long for their boxes
const MOST_KEPT = 20;
const MATCHES_MS = 40; // more than half of an interval at 15 fps would be another frame

/** Clock of the sender: from RTP timestamps to the page's time. Times are milliseconds of `performance.now()`. */
export class SenderClock {
  /** The least time that a frame needs outside of the server: to be encoded, and both ways of the network. */
  overheadMs = 0;
  #last = null; #ticks = 0; #least = Infinity;

  /** When a frame was captured. Call it once for each message, in any order. */
  capturedAt(rtp, ageS, now = performance.now()) {
    const step = this.#last === null ? 0 : ((rtp - this.#last + WRAP / 2) % WRAP + WRAP) % WRAP - WRAP / 2;
    const ticks = this.#ticks + step;
    if (step > 0 || this.#last === null) [this.#last, this.#ticks] = [rtp, ticks];
    const sent = ticks / TICKS_PER_MS;
    this.#least = Math.min(this.#least + 0.001, now - 1000 * ageS - sent); // grows slowly: the clocks of camera and page differ
    return sent + this.#least - this.overheadMs;
  }
}

/** The newest pictures of a video with their capture times, to draw the boxes on the very picture that they belong to. */
export class RecentPictures {
  #kept = []; #video; #open = true;

  constructor(video) {
    this.#video = video;
    video.requestVideoFrameCallback(this.#take);
  }

  /** The picture of a time, as {picture, at}; null if it is not kept. Those before it are released. */
  take(at) {
    const best = this.#kept.reduce((one, other) => (one && Math.abs(one.at - at) <= Math.abs(other.at - at) ? one : other), null);
    if (!best || Math.abs(best.at - at) > MATCHES_MS) return null;
    while (this.#kept[0] !== best) this.#kept.shift().picture.close();
    return best;
  }

  close() {
    this.#open = false;
    for (const { picture } of this.#kept.splice(0)) picture.close();
  }

  #take = async (now, { captureTime }) => {
    if (!this.#open) return;
    this.#video.requestVideoFrameCallback(this.#take);
    const at = captureTime ?? now;
    const picture = await createImageBitmap(this.#video).catch(() => null);
    if (!picture) return;
    if (!this.#open) return picture.close();
    this.#kept.push({ at, picture });
    while (this.#kept.length > MOST_KEPT || at - this.#kept[0].at > KEPT_MS) this.#kept.shift().picture.close();
  };
}

/** One session: from `open` until `close`, or until the server ends it. */
export class Webcam {
  clock = new SenderClock();
  #peer = null; #id = null; #on; #sender; #timer; #fastest = Infinity;

  /**
   * @param {{frame: (frame) => void, notice: (text) => void, ending: (seconds) => void, ended: (reason) => void,
   *   limit: (pixels) => void}} handlers
   */
  constructor(handlers) {
    this.#on = handlers;
  }

  get isOpen() {
    return this.#peer !== null;
  }

  /** Send a track. Throws ApiError, such as for too many sessions. */
  async open(track) {
    const peer = this.#peer = new RTCPeerConnection();
    const transceiver = peer.addTransceiver(track, { direction: "sendonly", streams: [new MediaStream([track])] });
    this.#sender = transceiver.sender;
    const channel = peer.createDataChannel("messages", { ordered: false, maxPacketLifeTime: 500 });
    channel.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    channel.onclose = () => this.#end("The connection to the server has ended.");
    peer.onconnectionstatechange = () => peer.connectionState === "failed" && this.#end(NOT_CONNECTED);
    await peer.setLocalDescription();
    const answer = await (await request("POST", "/browser-cameras", { body: { sdp: peer.localDescription.sdp, returns: "boxes" } })).json();
    this.#id = answer.id;
    if (this.#peer !== peer) return this.#delete();
    this.#on.limit(answer.max_width);
    await peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    await this.#keepResolution();
    this.#timer = setInterval(() => this.#measure(), 1000);
  }

  /** Go on with another camera. */
  replace(track) {
    return this.#sender?.replaceTrack(track);
  }

  close() {
    const peer = this.#peer;
    this.#peer = null;
    clearInterval(this.#timer);
    this.#delete().finally(() => peer?.close()); // the server ends a session whose peer closes: it would not know it then
  }

  async #delete() {
    const id = this.#id;
    this.#id = null;
    if (id) await request("DELETE", `/browser-cameras/${id}`, { keepalive: true }).catch(() => {}); // it has ended already
  }

  #end(reason) {
    if (!this.#peer) return;
    this.#id = null;
    this.close();
    this.#on.ended(reason);
  }

  #receive(message) {
    if (!this.#peer) return; // it is closed, and messages are still on their way
    if (message.frame) this.#on.frame(message.frame);
    else if (message.notice) this.#on.notice(message.notice);
    else if (message.max_width) this.#on.limit(message.max_width);
    else if (message.ends_in_s) this.#on.ending(message.ends_in_s);
    else if ("ended" in message) this.#end(message.ended && `The server has ended the session: ${message.ended}.`);
  }

  /** A smaller picture would begin new tracks, so a slow network gets fewer frames instead. */
  async #keepResolution() {
    const parameters = this.#sender.getParameters();
    parameters.degradationPreference = "maintain-resolution";
    await this.#sender.setParameters(parameters).catch(() => {}); // not every browser has it
  }

  async #measure() {
    const reports = [...(await this.#peer?.getStats() ?? new Map()).values()];
    const sent = reports.find((one) => one.type === "outbound-rtp");
    const pair = reports.find((one) => one.type === "candidate-pair" && one.nominated);
    if (!sent?.framesEncoded || !pair) return;
    this.#fastest = Math.min(this.#fastest, pair.currentRoundTripTime ?? 0);
    this.clock.overheadMs = 1000 * (sent.totalEncodeTime / sent.framesEncoded + this.#fastest);
  }
}

const NOT_CONNECTED = "The browser and the server found no connection by WebRTC. A firewall or a container may block the UDP ports of the server (web.live.udp_ports).";
