/** The microphone: opening, swapping, silencing and measuring it. */

import type { Preferences } from "./preferences";

export type MicrophoneFault = "insecure" | "refused" | "no_device" | "in_use" | "unusable";

export class MicrophoneFailed extends Error {
  readonly fault: MicrophoneFault;

  constructor(fault: MicrophoneFault, cause?: unknown) {
    super(fault, { cause });
    this.name = "MicrophoneFailed";
    this.fault = fault;
  }
}

/** Which words to use for a failed `getUserMedia` (W3C Media Capture, section 10.3). */
export function faultOf(name: string): MicrophoneFault {
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return "refused";
    case "NotFoundError":
      return "no_device";
    case "NotReadableError":
    case "AbortError":
      return "in_use";
    default:
      return "unusable";
  }
}

export class Microphone {
  /** Sent to the gateway; disabled whenever nobody should hear us. */
  readonly track: MediaStreamTrack;
  readonly label: string;
  /** A clone that stays enabled: the meter moves while muted too. */
  readonly #ear: MediaStreamTrack;
  readonly #source: MediaStreamAudioSourceNode;
  readonly #analyser: AnalyserNode;
  readonly #window: Float32Array<ArrayBuffer>;

  private constructor(track: MediaStreamTrack, context: AudioContext, onEnded: () => void) {
    this.track = track;
    this.label = track.label;
    this.#ear = track.clone();
    track.enabled = false;
    track.onended = onEnded;
    this.#source = context.createMediaStreamSource(new MediaStream([this.#ear]));
    this.#analyser = context.createAnalyser();
    this.#analyser.fftSize = 2048;
    this.#source.connect(this.#analyser);
    this.#window = new Float32Array(this.#analyser.fftSize);
  }

  /**
   * Open the preferred microphone, or the default one if that is gone. Nothing is heard of it
   * until `listen(true)`. `onEnded`: the device was unplugged or the permission withdrawn.
   */
  static async open(
    wanted: Preferences,
    context: AudioContext,
    onEnded: () => void,
  ): Promise<Microphone> {
    if (!window.isSecureContext || !navigator.mediaDevices) {
      throw new MicrophoneFailed("insecure");
    }
    const audio: MediaTrackConstraints = {
      echoCancellation: wanted.echoCancellation,
      noiseSuppression: wanted.noiseSuppression,
      autoGainControl: wanted.autoGainControl,
      channelCount: 1,
    };
    try {
      const track = await capture(audio, wanted.microphone);
      return new Microphone(track, context, onEnded);
    } catch (error) {
      const name = error instanceof DOMException ? error.name : "";
      throw new MicrophoneFailed(faultOf(name), error);
    }
  }

  /** Let the other side hear us, or send silence: the stream itself never stops. */
  listen(isHeard: boolean): void {
    this.track.enabled = isHeard;
  }

  /** Loudness now, in dB below full scale; -100 for digital silence. */
  level(): number {
    this.#analyser.getFloatTimeDomainData(this.#window);
    let sum = 0;
    for (const sample of this.#window) sum += sample * sample;
    const rms = Math.sqrt(sum / this.#window.length);
    return rms < 1e-5 ? -100 : 20 * Math.log10(rms);
  }

  close(): void {
    this.track.onended = null;
    this.track.stop();
    this.#ear.stop();
    this.#source.disconnect();
  }
}

async function capture(
  audio: MediaTrackConstraints,
  deviceId: string | null,
): Promise<MediaStreamTrack> {
  const open = async (constraints: MediaTrackConstraints): Promise<MediaStreamTrack> => {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: constraints });
    const track = stream.getAudioTracks()[0];
    if (track === undefined) throw new DOMException("no audio track", "NotFoundError");
    return track;
  };
  if (deviceId === null) return open(audio);
  try {
    return await open({ ...audio, deviceId: { exact: deviceId } });
  } catch (error) {
    const isGone = error instanceof DOMException && error.name === "OverconstrainedError";
    if (!isGone) throw error;
    return open(audio);
  }
}
