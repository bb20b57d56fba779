// A business made of whatsapp-api-js alone: it answers calls, places one when told, and hangs up.
// Prints one JSON object per line: its port, then what it did and what it was told.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { WhatsAppAPI } from "whatsapp-api-js";

const { graphUrl, token, appSecret, verifyToken, offer, answer } = JSON.parse(process.argv[2]);

const say = (what, content) => process.stdout.write(`${JSON.stringify({ what, content })}\n`);

const api = new WhatsAppAPI({
  token,
  appSecret,
  webhookVerifyToken: verifyToken,
  v: "v23.0",
  ponyfill: {
    // The library knows only Meta's host.
    fetch: (url, options) => fetch(new URL(new URL(url).pathname, graphUrl), options),
  },
});

api.on.call.connect = async ({ phoneID, call, name }) => {
  say("connect", { direction: call.direction, sdp_type: call.session.sdp_type, name });
  if (call.direction !== "USER_INITIATED") return;
  say("pre_accept", await api.preacceptCall(phoneID, call.id, answer));
  say("accept", await api.acceptCall(phoneID, call.id, answer, "from a stranger"));
  say("terminate", await api.terminateCall(phoneID, call.id));
};

api.on.call.status = async ({ phoneID, id, status, biz_opaque_callback_data }) => {
  say("status", { status, biz_opaque_callback_data });
  if (status === "ACCEPTED") say("terminate", await api.terminateCall(phoneID, id));
};

api.on.call.terminate = ({ call }) =>
  say("terminated", {
    status: call.status,
    duration: typeof call.duration,
    biz_opaque_callback_data: call.biz_opaque_callback_data,
  });

async function receive(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  response.writeHead(200).end();
  await api.post(JSON.parse(body), body, request.headers["x-hub-signature-256"]);
}

const server = createServer((request, response) => {
  if (request.method === "GET") {
    const query = Object.fromEntries(new URL(request.url, "http://localhost").searchParams);
    response.writeHead(200).end(api.get(query));
    return;
  }
  receive(request, response).catch((error) => say("error", String(error)));
});

server.listen(0, "127.0.0.1", () => say("port", server.address().port));

createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const { phoneID, to } = JSON.parse(line);
    say("dialled", await api.initiateCall(phoneID, { phone: to }, offer, "key of a stranger"));
  })
  .on("close", () => process.exit(0));
