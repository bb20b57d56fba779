/** What everybody at this desk should know now; goes away by itself when it is over. */

import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { useInterval } from "@mantine/hooks";
import { type ReactNode, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { ownCall } from "../phone/calls";
import { useLine, useOwnership, usePhone, useStation } from "../phone/context";
import {
  IconAlertTriangle,
  IconDeviceLaptop,
  IconHeadset,
  IconPlugConnectedX,
  IconVolume,
} from "../ui/icons";
import { noticeText } from "../ui/names";
import classes from "./Shell.module.css";

/** Conditions: the gateway says when they are over. All other notices tell of one event. */
const lasting = ["redis_down", "store_down", "media_away", "token_invalid"];

export function Banners() {
  const { t } = useTranslation();
  const phone = usePhone();
  const { notices } = useLine();
  return (
    <Stack gap="xs" className={classes.banners}>
      <ConnectionBanner />
      {notices.map(({ code, detail }) => (
        <Banner
          key={code}
          color="orange"
          icon={<IconAlertTriangle aria-hidden />}
          action={
            !lasting.includes(code) && (
              <Button
                size="xs"
                variant="default"
                onClick={() => phone.line.dismissNotice(code)}
              >
                {t("app.dismiss")}
              </Button>
            )
          }
        >
          {noticeText(code, detail, t)}
        </Banner>
      ))}
      <SoundBanner />
      <ElsewhereBanner />
      <DeviceBanner />
    </Stack>
  );
}

interface BannerProps {
  color: string;
  icon: ReactNode;
  children: ReactNode;
  action?: ReactNode;
  title?: string;
}

function Banner({ color, icon, children, action, title }: BannerProps) {
  return (
    <Alert color={color} variant="light" icon={icon} role="status" title={title} py="xs">
      <Group justify="space-between" gap="sm">
        <Text size="sm" style={{ flex: "1 1 16rem" }}>
          {children}
        </Text>
        {action}
      </Group>
    </Alert>
  );
}

/** A blink of the network needs no words. */
const GRACE_MS = 700;

function ConnectionBanner() {
  const { t } = useTranslation();
  const phone = usePhone();
  const line = useLine();
  const [now, setNow] = useState(Date.now());
  const [isLong, setLong] = useState(false);
  const isOpen = line.connection === "open";
  useInterval(() => setNow(Date.now()), 500, { autoInvoke: true });
  useEffect(() => {
    setLong(false);
    if (isOpen) return;
    const timer = setTimeout(() => setLong(true), GRACE_MS);
    return () => clearTimeout(timer);
  }, [isOpen]);
  if (isOpen || !isLong) return null;
  const count = Math.max(1, Math.ceil(((line.retryAt ?? now) - now) / 1000));
  const isWaiting = line.connection === "waiting";
  return (
    <Banner
      color="red"
      icon={<IconPlugConnectedX aria-hidden />}
      action={
        isWaiting && (
          <Button size="xs" variant="default" onClick={() => phone.line.retryNow()}>
            {t("connection.now")}
          </Button>
        )
      }
    >
      {isWaiting ? t("connection.waiting", { count }) : t("connection.connecting")}
      {ownCall(line) !== null && ` ${t("connection.call_goes_on")}`}
    </Banner>
  );
}

function SoundBanner() {
  const { t } = useTranslation();
  const phone = usePhone();
  const line = useLine();
  const { canSound, phase } = useStation();
  const isNeeded = phase === "ready" || phone.station.legs.leg !== null;
  if (canSound || !isNeeded || line.me === null) return null;
  return (
    <Banner
      color="orange"
      icon={<IconVolume aria-hidden />}
      action={
        <Button size="xs" variant="default" onClick={() => void phone.station.unlockSound()}>
          {t("sound.unlock")}
        </Button>
      }
    >
      {t("sound.locked")}
    </Banner>
  );
}

function ElsewhereBanner() {
  const { t } = useTranslation();
  const phone = usePhone();
  const line = useLine();
  if (useOwnership() !== "elsewhere") return null;
  const takeOver = async (): Promise<void> => {
    phone.alerts.askToNotify();
    await phone.sound.unlock();
    await phone.owner.takeOver();
    if (ownCall(line) !== null) await phone.control.resume();
    await phone.station.goReady();
  };
  return (
    <Banner
      color="blue"
      icon={<IconDeviceLaptop aria-hidden />}
      title={t("tabs.elsewhere_title")}
      action={
        <Button size="xs" variant="default" onClick={() => void takeOver()}>
          {t("tabs.take_over")}
        </Button>
      }
    >
      {t("tabs.elsewhere_text")}
    </Banner>
  );
}

function DeviceBanner() {
  const { t } = useTranslation();
  const phone = usePhone();
  const { deviceChange } = useStation();
  if (deviceChange === null) return null;
  const isLost = deviceChange.kind === "lost";
  return (
    <Banner
      color={isLost ? "red" : "blue"}
      icon={<IconHeadset aria-hidden />}
      action={
        isLost ? (
          <Button size="xs" variant="default" component={Link} to="/settings">
            {t("device.choose")}
          </Button>
        ) : (
          <Button
            size="xs"
            variant="default"
            onClick={() => phone.station.dismissDeviceChange()}
          >
            {t("app.dismiss")}
          </Button>
        )
      }
    >
      {isLost ? t("device.lost") : t("device.replaced", { label: deviceChange.label })}
    </Banner>
  );
}
