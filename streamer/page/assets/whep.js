/** Live video of a camera by WebRTC (WHEP): one offer, one answer, video only. */

import { request } from "./api.js";

const BLOCKED = "The browser does not reach the UDP ports of the server. A firewall or a container may block them.";
const ENDED_WITHIN_MS = 3000;

/** A connection. `close` ends it here and at the server. */
export class WhepConnection {
  #peer = new RTCPeerConnection();
  #aborter = new AbortController();
  #location = null;

  /**
   * @param {HTMLVideoElement} video gets the stream
   * @param {(reason: string) => void} failed called once, in plain words, when there is no connection or no longer one
   */
  constructor(camera, video, failed) {
    const peer = this.#peer;
    const fail = (reason) => !this.#aborter.signal.aborted && failed(reason);
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.ontrack = ({ track, receiver }) => {
      receiver.jitterBufferTarget = 0; // the newest frame at once
      video.srcObject = new MediaStream([track]);
      video.play().catch(() => {}); // a hidden page may not play; it starts when it is shown
    };
    peer.onconnectionstatechange = () => peer.connectionState === "failed" && fail(BLOCKED);
    this.#connect(camera).catch((error) => fail(error.message));
  }

  /** Whether the ways of the network are open; the rest is up to the server. */
  get isConnected() {
    return this.#peer.connectionState === "connected";
  }

  async #connect(camera) {
    const peer = this.#peer, { signal } = this.#aborter;
    await peer.setLocalDescription(); // its addresses are not needed: the server finds the browser by its checks
    const answer = await request("POST", `/cameras/${encodeURIComponent(camera)}/whep`, { text: peer.localDescription.sdp, type: "application/sdp", signal });
    this.#location = answer.headers.get("Location");
    if (signal.aborted) return this.#end();
    await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  }

  close() {
    if (this.#aborter.signal.aborted) return;
    this.#aborter.abort();
    this.#end();
  }

  /** The server ends it first: it would not know a connection that has closed. */
  async #end() {
    const signal = AbortSignal.timeout(ENDED_WITHIN_MS);
    if (this.#location) await request("DELETE", this.#location, { keepalive: true, signal }).catch(() => {}); // the server is away
    this.#peer.close();
  }
}
