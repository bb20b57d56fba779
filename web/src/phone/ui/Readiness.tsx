/** Going ready: the pre-flight with its checks, and what to do when one fails. */

import { Button, Group, Loader, Paper, Stack, Text, Title } from "@mantine/core";
import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { IconCheck, IconCircle, IconX } from "../../ui/icons";
import { problemText } from "../../ui/names";
import { useLeg, useOwnership, usePhone, useStation } from "../context";
import type { Check, Checks } from "../preflight";
import { Meter } from "./Meter";
import classes from "./Readiness.module.css";

export function Readiness() {
  const { t } = useTranslation();
  const phone = usePhone();
  const ownership = useOwnership();
  const { phase, checks } = useStation();
  if (ownership === "elsewhere") return null;
  if (phase === "ready") return <IsReady />;
  const failed = checks?.find((check) => check.state === "failed");
  const go = (evenIfSilent: boolean): void => {
    phone.alerts.askToNotify();
    void phone.station.goReady(evenIfSilent);
  };
  return (
    <Paper component="section" withBorder p="lg" className={classes.panel}>
      <Stack gap="md">
        <div>
          <Title order={2}>{titleOf(phase, failed !== undefined, t)}</Title>
          {checks === null && (
            <Text size="sm" c="var(--quiet)" mt={4}>
              {t("ready.text")}
            </Text>
          )}
        </div>
        {checks !== null && <CheckList checks={checks} />}
        {phase === "off" && (
          <Group gap="sm">
            <Button size="md" disabled={ownership !== "here"} onClick={() => go(false)}>
              {failed === undefined ? t("ready.go") : t("app.retry")}
            </Button>
            {failed?.reason === "silent" && (
              <Button size="md" variant="default" onClick={() => go(true)}>
                {t("ready.go_anyway")}
              </Button>
            )}
            {failed && ["silent", "unusable", "no_sound"].includes(failed.reason ?? "") && (
              <Button size="md" variant="subtle" component={Link} to="/settings">
                {t("app.settings")}
              </Button>
            )}
          </Group>
        )}
      </Stack>
    </Paper>
  );
}

function titleOf(phase: string, hasFailed: boolean, t: TFunction): string {
  if (phase === "checking") return t("ready.title_checking");
  return hasFailed ? t("ready.title_failed") : t("ready.title");
}

function IsReady() {
  const { t } = useTranslation();
  const { station } = usePhone();
  const { microphone } = useStation();
  const leg = useLeg();
  const isUp = leg.phase === "up";
  return (
    <Paper component="section" withBorder p="md" className={classes.panel}>
      <Stack gap="sm">
        <Group justify="space-between" wrap="nowrap" gap="sm">
          <div className={classes.text}>
            <Text fw={600} size="sm">
              {isUp ? t("ready.is_ready") : t("ready.path_lost")}
            </Text>
            {microphone && (
              <Text size="xs" c="var(--quiet)" truncate>
                {t("ready.microphone_in_use", { label: microphone })}
              </Text>
            )}
          </div>
          <Button variant="default" size="xs" onClick={() => void station.goAway()}>
            {t("ready.away")}
          </Button>
        </Group>
        <Meter label={t("ready.level")} />
      </Stack>
    </Paper>
  );
}

function CheckList({ checks }: { checks: Checks }) {
  const { t } = useTranslation();
  return (
    <ul className={classes.checks} aria-label={t("check.list")}>
      {checks.map((check) => (
        <li key={check.id} data-state={check.state} data-check={check.id}>
          <Sign state={check.state} />
          <div className={classes.text}>
            <Text size="sm" fw={550}>
              {t(`check.${check.id}`)}
              <span className="visually-hidden">: {t(`check.state.${check.state}`)}</span>
            </Text>
            {check.id === "level" && check.state === "running" && (
              <Stack gap={4} mt={4}>
                <Text size="xs" c="var(--quiet)">
                  {t("check.say_something")}
                </Text>
                <Meter label={t("ready.level")} />
              </Stack>
            )}
            {check.reason && <Why check={check} />}
          </div>
        </li>
      ))}
    </ul>
  );
}

function Why({ check }: { check: Check }) {
  const { t } = useTranslation();
  if (check.reason === null) return null;
  return (
    <div role="alert">
      <Text size="sm" className={classes.what}>
        {check.refused ? problemText(check.refused, t) : t(`reason.${check.reason}.what`)}
      </Text>
      <Text size="sm">{t(`reason.${check.reason}.fix`)}</Text>
    </div>
  );
}

function Sign({ state }: { state: Check["state"] }) {
  switch (state) {
    case "running":
      return <Loader size={18} aria-hidden />;
    case "passed":
      return <IconCheck size={20} className={classes.good} aria-hidden />;
    case "failed":
      return <IconX size={20} className={classes.bad} aria-hidden />;
    default:
      return <IconCircle size={20} className={classes.waiting} aria-hidden />;
  }
}
