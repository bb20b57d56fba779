/** A call rings here: who it is, and what one can do. */

import { Button, Group, Paper, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { CallView } from "../../api/types";
import { IconPhone, IconPhoneOff } from "../../ui/icons";
import { useControl, useMe, useOwnership, usePhone, useStation } from "../context";
import classes from "./Call.module.css";
import { PersonFacts, PersonHead } from "./PersonCard";
import { RecordingBadge } from "./RecordingBadge";

export function IncomingCall({ call, others }: { call: CallView; others: number }) {
  const { t } = useTranslation();
  return (
    <Paper
      component="section"
      withBorder
      p="lg"
      className={classes.incoming}
      aria-label={t("incoming.title")}
    >
      <Stack gap="lg">
        <Group gap="xs" className={classes.ringing}>
          <IconPhone size={18} aria-hidden />
          <Text size="sm" fw={650}>
            {t("incoming.title")}
          </Text>
        </Group>
        <PersonHead peer={call.peer} />
        <PersonFacts call={call} />
        <RecordingBadge call={call} />
        <IncomingActions call={call} />
        {others > 0 && (
          <Text size="sm" c="var(--quiet)">
            {t("incoming.more", { count: others })}
          </Text>
        )}
      </Stack>
    </Paper>
  );
}

export function IncomingActions({ call }: { call: CallView }) {
  const { t } = useTranslation();
  const { control } = usePhone();
  const { pending, pendingCallId } = useControl();
  const { phase } = useStation();
  const isElsewhere = useOwnership() === "elsewhere";
  const { role } = useMe().user;
  const isBusy = pending !== null;
  const isThis = pendingCallId === call.id;
  const canAnswer = phase === "ready" || isElsewhere;
  return (
    <Stack gap="xs">
      <Group gap="sm" grow preventGrowOverflow={false}>
        <Button
          size="md"
          className={classes.answer}
          leftSection={<IconPhone size={20} aria-hidden />}
          disabled={!canAnswer}
          loading={isThis && pending === "answer"}
          onClick={() => isBusy || void control.answer(call.id)}
        >
          {t("incoming.answer")}
        </Button>
        <Button
          size="md"
          variant="default"
          leftSection={<IconPhoneOff size={20} aria-hidden />}
          loading={isThis && pending === "decline"}
          onClick={() => isBusy || void control.decline(call.id)}
        >
          {t("incoming.decline")}
        </Button>
      </Group>
      <Text size="xs" c="var(--quiet)">
        {t("incoming.decline_hint")}
      </Text>
      {role !== "agent" && (
        <Button
          variant="subtle"
          color="red"
          size="xs"
          onClick={() => isBusy || void control.decline(call.id, true)}
        >
          {t("incoming.decline_all")}
        </Button>
      )}
      {!canAnswer && (
        <Text size="sm" c="var(--quiet)">
          {t("incoming.not_ready")}
        </Text>
      )}
    </Stack>
  );
}
