/** Whose network is it? Bars for the agent's and for the WhatsApp leg, with a reason in words. */

import { Group, Stack, Text } from "@mantine/core";
import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";
import type { CallView, LegQuality } from "../../api/types";
import { formatPercent } from "../../i18n/format";
import { useControl } from "../context";
import { complaintOf } from "../quality";
import classes from "./Call.module.css";

const STEPS = [1, 2, 3, 4, 5] as const;

export function Quality({ call }: { call: CallView }) {
  const { t } = useTranslation();
  const own = useControl().quality;
  return (
    <Stack component="section" gap={6} aria-label={t("quality.title")}>
      <Leg name={t("quality.you")} leg={call.quality?.agent ?? own} />
      <Leg name={t("quality.whatsapp")} leg={call.quality?.whatsapp ?? null} />
    </Stack>
  );
}

function Leg({ name, leg }: { name: string; leg: LegQuality | null }) {
  const { t } = useTranslation();
  const text = leg === null ? t("quality.unknown") : (wordsFor(leg, t) ?? figures(leg, t));
  return (
    <Group gap="xs" wrap="nowrap">
      <Text size="sm" w={76} c="var(--quiet)">
        {name}
      </Text>
      <span
        className={classes.bars}
        role="img"
        aria-label={leg === null ? t("quality.unknown") : t("quality.bars", { bars: leg.bars })}
        style={{ "--tone": toneOf(leg?.bars ?? 0) } as React.CSSProperties}
      >
        {STEPS.map((step) => (
          <span
            key={step}
            style={{ height: `${step * 20}%` }}
            {...(step <= (leg?.bars ?? 0) && { "data-on": true })}
          />
        ))}
      </span>
      <Text size="xs" c="var(--quiet)">
        {text}
      </Text>
    </Group>
  );
}

function toneOf(bars: number): string {
  if (bars >= 4) return "var(--good)";
  return bars === 3 ? "var(--warn)" : "var(--bad)";
}

function wordsFor(leg: LegQuality, t: TFunction): string | null {
  switch (complaintOf(leg)) {
    case "loss":
      return t("quality.loss", { percent: formatPercent(leg.loss ?? 0) });
    case "jitter":
      return t("quality.jitter", { ms: Math.round(leg.jitter_ms ?? 0) });
    case "delay":
      return t("quality.delay", { ms: Math.round(leg.round_trip_ms ?? 0) });
    default:
      return null;
  }
}

function figures(leg: LegQuality, t: TFunction): string {
  const rounded = (ms: number | null | undefined): string =>
    ms === null || ms === undefined ? "–" : String(Math.round(ms));
  return t("quality.figures", {
    loss: formatPercent(leg.loss ?? 0),
    jitter: rounded(leg.jitter_ms),
    delay: rounded(leg.round_trip_ms),
  });
}
