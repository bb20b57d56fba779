/** How the last call went, until dismissed or the next one. */

import { CloseButton, Group, Paper, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { Refused } from "../../api/client";
import type { CallView } from "../../api/types";
import { formatDuration } from "../../i18n/format";
import { nameOf, outcomeText } from "../../ui/names";
import { Problem } from "../../ui/Problem";
import { talkedMs } from "../calls";
import { usePhone } from "../context";
import classes from "./Call.module.css";

export function EndedCall({ call }: { call: CallView }) {
  const { t } = useTranslation();
  const { line } = usePhone();
  const talked = talkedMs(call, Date.now());
  const title =
    talked === null
      ? t("call.ended")
      : t("call.ended_after", { duration: formatDuration(talked) });
  return (
    <Paper component="section" withBorder p="md" className={classes.panel} aria-label={title}>
      <Stack gap="xs">
        <Group justify="space-between" wrap="nowrap">
          <Text fw={650}>{title}</Text>
          <CloseButton aria-label={t("app.dismiss")} onClick={() => line.dismissLastEnded()} />
        </Group>
        <Text size="sm">
          {nameOf(call.peer, t)} · {outcomeText(call.outcome, t)} ·{" "}
          <Link to={`/calls/${call.id}`}>{t("call.open")}</Link>
        </Text>
        {call.problem && (
          <Problem
            title={outcomeText(call.outcome, t)}
            refused={new Refused(0, { ...call.problem, meta: call.problem.meta ?? null })}
          />
        )}
      </Stack>
    </Paper>
  );
}
