// The phone's screen: a function of the state that the sandbox sends over the WebSocket.
import { MicrophoneInput, Ringer, Speaker } from "/phone/audio.js";

const KEYS = "123456789*0#";
const RECONNECT_MS = 1500;
const SHOW_END_MS = 4000;

const by = (id) => document.getElementById(id);
const speaker = new Speaker();
const ringer = new Ringer();
const microphone = new MicrophoneInput((frame) => isTalking && transmit(frame));

let socket = null;
let state = { call: null };
let pickedUpAt = null;
let isTalking = false;
let isMuted = false;
let speaksByItself = true;
let endedShown = null;

function transmit(content) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(content);
}

function order(verb, fields = {}) {
  transmit(JSON.stringify({ do: verb, ...fields }));
}

function connect() {
  const userId = by("user").value;
  if (!userId) return;
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const current = new WebSocket(
    `${scheme}://${location.host}/phone/ws?user_id=${encodeURIComponent(userId)}`,
  );
  current.binaryType = "arraybuffer";
  socket = current;
  current.onopen = () => {
    showLink(true);
    order("speak_by_itself", { is_on: speaksByItself });
  };
  current.onmessage = ({ data }) => {
    if (typeof data !== "string") speaker.play(data);
    else show(JSON.parse(data));
  };
  current.onclose = () => {
    if (socket !== current) return;
    showLink(false);
    show({ call: null });
    setTimeout(() => socket === current && connect(), RECONNECT_MS);
  };
}

function showLink(isOn) {
  by("link").dataset.state = isOn ? "on" : "off";
  by("link").textContent = isOn ? "online" : "offline";
  by("call").disabled = !isOn;
}

/** Which screen the state asks for. */
function screenOf(call) {
  if (!call) return "idle";
  if (call.state === "ended") return "ended";
  if (call.state === "accepted") return "talking";
  return call.is_incoming ? "ringing" : "calling";
}

const STATUS = {
  idle: () => "Not in a call",
  ringing: () => "is calling you…",
  calling: () => "Calling…",
  talking: (call) => (call.is_connected ? "Connected" : "Connecting…"),
  ended: (call) => endText(call),
};

function endText(call) {
  if (call.reason === "no_media") return "Call failed: the business sent no audio";
  if (call.reason === "not_answered") return call.is_incoming ? "Missed call" : "Not answered";
  if (call.reason === "rejected") return call.ended_by === "user" ? "Declined" : "Line busy";
  return call.ended_by === "user" ? "You hung up" : "The business hung up";
}

function show(next) {
  const before = screenOf(state.call);
  state = next;
  const call = state.call;
  let screen = screenOf(call);
  if (screen === "ended" && endedShown === call.wacid) screen = "idle";
  if (screen === "ended") {
    const { wacid } = call;
    setTimeout(() => {
      endedShown = wacid;
      show(state);
    }, SHOW_END_MS);
  }
  if (screen === "talking" && before !== "talking") {
    pickedUpAt = Date.now() - (call.seconds ?? 0) * 1000;
  }
  if (screen !== "talking") resetCallControls();
  by("screen").dataset.screen = screen;
  by("status").textContent = STATUS[screen](call);
  by("number").textContent = call ? `+${call.business}` : "";
  const isUp = screen === "talking";
  for (const id of ["timer", "meters", "in-call", "talk"]) by(id).hidden = !isUp;
  by("keypad").hidden = !isUp || by("keys").getAttribute("aria-pressed") !== "true";
  by("answer").hidden = by("reject").hidden = screen !== "ringing";
  by("hang-up").hidden = !isUp && screen !== "calling";
  by("call").hidden = screen !== "idle" && screen !== "ended";
  ringFor(screen);
  keepFocus(before, screen);
}

function ringFor(screen) {
  ringer.stop();
  if (screen === "ringing" || screen === "calling") {
    ringer.start(speaker.wake(), screen === "ringing");
  }
}

/** The button with the focus may vanish: move on to the one that took its place. */
function keepFocus(before, screen) {
  if (before === screen || document.activeElement === by("user")) return;
  const target = { ringing: "answer", calling: "hang-up", talking: "talk" }[screen] ?? "call";
  by(target).focus({ preventScroll: true });
}

function resetCallControls() {
  isMuted = false;
  by("mute").setAttribute("aria-pressed", "false");
  by("keys").setAttribute("aria-pressed", "false");
  stopTalking();
}

async function startTalking() {
  if (isTalking || screenOf(state.call) !== "talking") return;
  isTalking = true;
  by("talk").setAttribute("aria-pressed", "true");
  by("problem").hidden = true;
  order("talk", { is_on: true });
  try {
    await microphone.open(speaker.wake());
  } catch (error) {
    stopTalking();
    by("problem").textContent = `No microphone: ${error.message}`;
    by("problem").hidden = false;
  }
}

function stopTalking() {
  if (!isTalking) return;
  isTalking = false;
  by("talk").setAttribute("aria-pressed", "false");
  order("talk", { is_on: false });
}

function toggle(button, isOn) {
  button.setAttribute("aria-pressed", String(isOn));
}

function wireButtons() {
  const onClick = (id, action) => by(id).addEventListener("click", action);
  onClick("call", () => (speaker.wake(), order("call")));
  onClick("answer", () => (speaker.wake(), order("answer")));
  onClick("reject", () => order("reject"));
  onClick("hang-up", () => order("hang_up"));
  onClick("mute", () => {
    isMuted = !isMuted;
    toggle(by("mute"), isMuted);
    order("mute", { is_on: isMuted });
  });
  onClick("keys", () => {
    const isShown = by("keypad").hidden;
    by("keypad").hidden = !isShown;
    toggle(by("keys"), isShown);
  });
  onClick("by-itself", () => {
    speaksByItself = !speaksByItself;
    toggle(by("by-itself"), speaksByItself);
    order("speak_by_itself", { is_on: speaksByItself });
  });
  for (const key of KEYS) {
    const button = document.createElement("button");
    button.textContent = key;
    button.setAttribute("aria-label", { "*": "star", "#": "hash" }[key] ?? key);
    button.addEventListener("click", () => order("press", { digits: key }));
    by("keypad").append(button);
  }
}

function wireTalking() {
  const button = by("talk");
  button.addEventListener("pointerdown", (event) => {
    button.setPointerCapture(event.pointerId);
    void startTalking();
  });
  button.addEventListener("pointerup", stopTalking);
  button.addEventListener("pointercancel", stopTalking);
  const isSpace = (event) =>
    event.code === "Space" && (event.target === button || event.target === document.body);
  document.addEventListener("keydown", (event) => {
    if (!isSpace(event)) return;
    event.preventDefault();
    if (!event.repeat) void startTalking();
  });
  document.addEventListener("keyup", (event) => {
    if (!isSpace(event)) return;
    event.preventDefault();
    stopTalking();
  });
  window.addEventListener("blur", stopTalking);
  document.addEventListener("pointerdown", () => speaker.wake(), { once: true });
}

async function loadUsers() {
  const { users } = await (await fetch("/phone/users")).json();
  const asked = new URLSearchParams(location.search).get("user_id");
  for (const user of users) {
    const option = new Option(user.name, user.user_id, false, user.user_id === asked);
    by("user").append(option);
  }
  by("user").addEventListener("change", () => {
    const old = socket;
    socket = null;
    old?.close();
    connect();
  });
  if (users.length === 0) {
    by("problem").textContent = "The sandbox has no users yet.";
    by("problem").hidden = false;
  }
}

function tick() {
  by("heard-level").style.width = `${Math.round(speaker.level * 100)}%`;
  speaker.level *= 0.8;
  if (pickedUpAt === null) return;
  const seconds = Math.max(0, Math.floor((Date.now() - pickedUpAt) / 1000));
  by("timer").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

wireButtons();
wireTalking();
showLink(false);
await loadUsers();
connect();
setInterval(tick, 100);
