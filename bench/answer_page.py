"""What `bench.answer` runs inside a page: clocks at the click and at the first sound."""

WATCH = """
(() => {
  const LOUD = 0.01;
  const EVERY_MS = 4;
  const state = { clickedAt: null, heardAt: null, madeAt: null, taps: [], peer: null };
  const now = () => performance.timeOrigin + performance.now();
  let context = null;
  let isLegRefused = false;

  function tap(track) {
    context ??= new AudioContext({ sampleRate: 48000, latencyHint: "interactive" });
    const source = context.createMediaStreamSource(new MediaStream([track]));
    const analyser = context.createAnalyser();
    analyser.fftSize = 256;
    source.connect(analyser);
    state.taps.push({ track, analyser, source, window: new Float32Array(256) });
  }

  function isLoud({ analyser, window }) {
    analyser.getFloatTimeDomainData(window);
    let sum = 0;
    for (const sample of window) sum += sample * sample;
    return Math.sqrt(sum / window.length) > LOUD;
  }

  setInterval(() => {
    state.taps = state.taps.filter(({ track }) => track.readyState === "live");
    if (state.clickedAt === null || state.heardAt !== null) return;
    if (state.taps.some(isLoud)) state.heardAt = now();
  }, EVERY_MS);

  document.addEventListener(
    "click",
    (event) => {
      if (event.target.closest?.("button")?.textContent.trim() !== "Answer") return;
      state.clickedAt = performance.timeOrigin + event.timeStamp;
      isLegRefused = false;
    },
    true,
  );

  const Peer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Peer {
    constructor(...options) {
      if (isLegRefused) throw new Error("no leg before the click");
      super(...options);
      state.madeAt = now();
      state.peer = this;
      this.addEventListener("track", ({ track }) => tap(track));
    }
  };

  window.benchReset = () => Object.assign(state, { clickedAt: null, heardAt: null });
  window.benchTimes = () => {
    const { clickedAt, heardAt, madeAt } = state;
    return { clickedAt, heardAt, madeAt };
  };
  /** The leg dies, and none can be made before the click on Answer. */
  window.benchLoseLeg = () => {
    isLegRefused = true;
    state.peer.close();
    state.peer.dispatchEvent(new Event("connectionstatechange"));
  };

  async function ask(method, path, body) {
    const answer = await fetch(`/api/v1${path}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? null : answer.json();
  }

  window.benchBeAvailable = (availability) =>
    ask("PUT", "/me/availability", { availability });

  let ringing = null;
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(...options) {
      super(...options);
      this.addEventListener("message", ({ data }) => {
        const { call } = JSON.parse(data);
        if (call?.state === "ringing") ringing = call.id;
      });
    }
  };
  window.benchRinging = () => ringing;

  const player = new Audio();
  let microphone = null;
  let naive = null;

  /** A softphone as they are mostly written: everything is made when the person answers. */
  window.benchAnswerNaively = async (callId) => {
    state.clickedAt = now();
    microphone = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
    naive = new RTCPeerConnection({ iceServers: [] });
    naive.addEventListener("track", ({ track }) => {
      player.srcObject = new MediaStream([track]);
      void player.play();
    });
    for (const track of microphone.getTracks()) naive.addTrack(track, microphone);
    naive.createDataChannel("callgate");
    await naive.setLocalDescription();
    await new Promise((done) => {
      const look = () => naive.iceGatheringState === "complete" && done();
      naive.addEventListener("icegatheringstatechange", look);
      look();
    });
    const body = { offer: naive.localDescription.sdp };
    const { answer } = await ask("POST", `/calls/${callId}/answer`, body);
    await naive.setRemoteDescription({ type: "answer", sdp: answer });
  };

  window.benchEndNaively = () => {
    naive?.close();
    player.srcObject = null;
    for (const track of microphone?.getTracks() ?? []) track.stop();
  };
})()
"""
"""To run before the page's own scripts. Times are in ms since the epoch."""
