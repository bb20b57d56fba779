/** Entry of the page. */

import "@mantine/core/styles.css";
import "./app/global.css";
import i18next from "i18next";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { startLanguage } from "./i18n";
import { makePhone } from "./phone/phone";
import { nameOf } from "./ui/names";

async function start(): Promise<void> {
  await startLanguage();
  const phone = makePhone({
    title: (call) => i18next.t("incoming.from", { who: nameOf(call.peer, i18next.t) }),
    body: (call) => i18next.t("incoming.notify_body", { number: call.number.display }),
  });
  const root = document.getElementById("root");
  if (root === null) throw new Error("the page has no root");
  createRoot(root).render(<App phone={phone} />);
}

void start();
