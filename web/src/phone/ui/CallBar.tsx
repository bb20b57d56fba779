/** The ringing or running call on pages other than the phone: small, with what matters. */

import { Button, Group, Paper, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import type { CallView } from "../../api/types";
import { IconMicrophone, IconMicrophoneOff, IconPhoneOff } from "../../ui/icons";
import { nameOf } from "../../ui/names";
import { offers, ownCall } from "../calls";
import { useControl, useLine, usePhone } from "../context";
import { Timer } from "./ActiveCall";
import classes from "./Call.module.css";
import { FailurePanel } from "./FailurePanel";
import { IncomingActions } from "./IncomingCall";
import { useStatus } from "./useStatus";

export function CallBar() {
  const line = useLine();
  const own = ownCall(line);
  const offered = offers(line)[0];
  return (
    <>
      <FailurePanel />
      {own !== null && <OwnCallBar call={own} />}
      {own === null && offered !== undefined && <OfferBar call={offered} />}
    </>
  );
}

function OwnCallBar({ call }: { call: CallView }) {
  const { t } = useTranslation();
  const { control } = usePhone();
  const status = useStatus();
  const muted = useControl().muted ?? call.muted;
  return (
    <Paper component="section" withBorder className={classes.bar} aria-label={t("call.region")}>
      <div className={classes.barText}>
        <Text fw={650} component={Link} to="/" truncate>
          {nameOf(call.peer, t)}
        </Text>
        <Text size="sm" c="var(--quiet)">
          {t(`status.${status}`)}
        </Text>
      </div>
      <Timer call={call} />
      <Group gap="xs">
        {call.state === "talking" && (
          <Button
            variant="default"
            leftSection={
              muted ? (
                <IconMicrophoneOff size={18} aria-hidden />
              ) : (
                <IconMicrophone size={18} aria-hidden />
              )
            }
            onClick={() => void control.mute(!muted)}
          >
            {muted ? t("call.unmute") : t("call.mute")}
          </Button>
        )}
        <Button
          className={classes.hangUp}
          leftSection={<IconPhoneOff size={18} aria-hidden />}
          onClick={() => void control.hangUp()}
        >
          {t("call.hang_up")}
        </Button>
      </Group>
    </Paper>
  );
}

function OfferBar({ call }: { call: CallView }) {
  const { t } = useTranslation();
  return (
    <Paper
      component="section"
      withBorder
      className={`${classes.bar} ${classes.incoming}`}
      aria-label={t("incoming.title")}
    >
      <div className={classes.barText}>
        <Text fw={650} component={Link} to="/" truncate>
          {nameOf(call.peer, t)}
        </Text>
        <Text size="sm" c="var(--quiet)">
          {t("incoming.title")} · {call.number.display}
        </Text>
      </div>
      <IncomingActions call={call} />
    </Paper>
  );
}
