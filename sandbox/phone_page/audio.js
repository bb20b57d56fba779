// What the person hears and says: frames of 960 samples of 16 bits, mono, 48 kHz.
const RATE_HZ = 48000;
const START_BUFFER_S = 0.06;
const LATE_BUFFER_MAX_S = 0.4;

/** The loudspeaker: plays frames one after the other behind a small jitter buffer. */
export class Speaker {
  #context = null;
  #playAt = 0;
  level = 0;

  /** Must first be called from a click or key press, or the browser stays silent. */
  wake() {
    this.#context ??= new AudioContext({ sampleRate: RATE_HZ, latencyHint: "interactive" });
    void this.#context.resume();
    return this.#context;
  }

  play(bytes) {
    const samples = new Int16Array(bytes);
    this.#measure(samples);
    const context = this.#context;
    if (!context || context.state !== "running") return;
    const now = context.currentTime;
    if (this.#playAt < now || this.#playAt > now + LATE_BUFFER_MAX_S) {
      this.#playAt = now + START_BUFFER_S;
    }
    const buffer = context.createBuffer(1, samples.length, RATE_HZ);
    const channel = buffer.getChannelData(0);
    for (let at = 0; at < samples.length; at++) channel[at] = samples[at] / 32768;
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(context.destination);
    source.start(this.#playAt);
    this.#playAt += buffer.duration;
  }

  #measure(samples) {
    let sum = 0;
    for (const sample of samples) sum += sample * sample;
    const rms = Math.sqrt(sum / samples.length) / 32768;
    const db = 20 * Math.log10(Math.max(rms, 1e-4));
    this.level = Math.max(0, Math.min(1, (db + 60) / 60));
  }
}

/** The ring tone, while `start`ed. */
export class Ringer {
  #timer = null;

  start(context, isIncoming) {
    if (this.#timer) return;
    const ring = () => {
      const tones = isIncoming ? [440, 554, 659] : [425];
      for (const [index, frequency] of tones.entries()) {
        this.#beep(context, frequency, index * 0.18, isIncoming ? 0.3 : 0.9);
      }
    };
    ring();
    this.#timer = setInterval(ring, isIncoming ? 1600 : 3000);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #beep(context, frequency, delay, length) {
    if (context.state !== "running") return;
    const oscillator = context.createOscillator();
    const gain = context.createGain();
    const begin = context.currentTime + delay;
    oscillator.frequency.value = frequency;
    gain.gain.setValueAtTime(0.0001, begin);
    gain.gain.exponentialRampToValueAtTime(0.08, begin + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.0001, begin + length);
    oscillator.connect(gain).connect(context.destination);
    oscillator.start(begin);
    oscillator.stop(begin + length);
  }
}

/** The microphone: opened at the first word, then kept; `send` gets each frame's buffer. */
export class MicrophoneInput {
  #opened = null;

  constructor(send) {
    this.send = send;
  }

  async open(context) {
    if (!navigator.mediaDevices) {
      throw new Error("The browser gives no microphone to an insecure address. Use localhost.");
    }
    this.#opened ??= this.#connect(context).catch((error) => {
      this.#opened = null;
      throw error;
    });
    return this.#opened;
  }

  async #connect(context) {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, channelCount: 1 },
    });
    await context.audioWorklet.addModule("/phone/microphone.js");
    const node = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 0 });
    node.port.onmessage = ({ data }) => this.send(data);
    context.createMediaStreamSource(stream).connect(node);
  }
}
