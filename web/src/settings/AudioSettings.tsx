/** Devices, ring and microphone processing; a change takes effect at once, in a call too. */

import {
  Button,
  Group,
  Paper,
  Select,
  Slider,
  Stack,
  Switch,
  Text,
  Title,
} from "@mantine/core";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { usePhone, usePreferences, useStation } from "../phone/context";
import type { Preferences } from "../phone/preferences";
import { canChooseOutput } from "../phone/sound";
import { Meter } from "../phone/ui/Meter";
import { IconVolume } from "../ui/icons";

const DEFAULT = "";

/** Devices of the system, followed as they come and go and as their names become known. */
function useDevices(): MediaDeviceInfo[] {
  const [devices, setDevices] = useState<MediaDeviceInfo[]>([]);
  const { microphone } = useStation();
  // biome-ignore lint/correctness/useExhaustiveDependencies: an opened microphone unlocks the names
  useEffect(() => {
    if (!navigator.mediaDevices) return;
    const list = (): void => {
      navigator.mediaDevices.enumerateDevices().then(setDevices, () => setDevices([]));
    };
    list();
    navigator.mediaDevices.addEventListener("devicechange", list);
    return () => navigator.mediaDevices.removeEventListener("devicechange", list);
  }, [microphone]);
  return devices;
}

export function AudioSettings() {
  const { t } = useTranslation();
  const { microphone } = useStation();
  return (
    <Paper component="section" withBorder p="lg" bg="var(--panel)">
      <Stack gap="lg">
        <Title order={2}>{t("settings.audio")}</Title>
        <DeviceChoices />
        {microphone !== null && (
          <Stack gap={6}>
            <Text size="sm" fw={500}>
              {t("settings.input_level")}
            </Text>
            <Meter label={t("settings.input_level")} />
          </Stack>
        )}
        <RingSettings />
        <Processing />
      </Stack>
    </Paper>
  );
}

function DeviceChoices() {
  const { t } = useTranslation();
  const devices = useDevices();
  const areNamed = devices.some((device) => device.label !== "");
  return (
    <Stack gap="sm">
      <DeviceChoice name="microphone" kind="audioinput" devices={devices} />
      {canChooseOutput ? (
        <>
          <DeviceChoice name="speaker" kind="audiooutput" devices={devices} />
          <DeviceChoice name="ringer" kind="audiooutput" devices={devices} />
        </>
      ) : (
        <Text size="sm" c="var(--quiet)">
          {t("settings.no_output_choice")}
        </Text>
      )}
      {!areNamed && (
        <Text size="sm" c="var(--quiet)">
          {t("settings.labels_hidden")}
        </Text>
      )}
    </Stack>
  );
}

interface DeviceChoiceProps {
  name: "microphone" | "speaker" | "ringer";
  kind: MediaDeviceKind;
  devices: readonly MediaDeviceInfo[];
}

function DeviceChoice({ name, kind, devices }: DeviceChoiceProps) {
  const { t } = useTranslation();
  const { preferences } = usePhone();
  const chosen = usePreferences()[name];
  const named = devices
    .filter((device) => device.kind === kind && !["", "default"].includes(device.deviceId))
    .map((device, index) => ({
      value: device.deviceId,
      label: device.label || t("settings.unnamed_device", { index: index + 1 }),
    }));
  const isPresent = named.some(({ value }) => value === chosen);
  return (
    <Select
      label={t(`settings.${name}`)}
      data={[{ value: DEFAULT, label: t("settings.default_device") }, ...named]}
      value={isPresent ? chosen : DEFAULT}
      allowDeselect={false}
      onChange={(value) => preferences.patch({ [name]: value === DEFAULT ? null : value })}
    />
  );
}

function RingSettings() {
  const { t } = useTranslation();
  const { preferences, sound } = usePhone();
  const { ringerVolume } = usePreferences();
  const test = async (output: "ringer" | "speaker"): Promise<void> => {
    await sound.unlock();
    await sound.test(output);
  };
  return (
    <Stack gap="xs">
      <Text size="sm" fw={500}>
        {t("settings.volume")}
      </Text>
      <Slider
        thumbLabel={t("settings.volume")}
        min={0}
        max={100}
        value={Math.round(ringerVolume * 100)}
        onChange={(value) => preferences.patch({ ringerVolume: value / 100 })}
      />
      <Group gap="sm" mt="xs">
        <Button
          size="xs"
          variant="default"
          leftSection={<IconVolume size={16} aria-hidden />}
          onClick={() => void test("ringer")}
        >
          {t("settings.test_ring")}
        </Button>
        <Button
          size="xs"
          variant="default"
          leftSection={<IconVolume size={16} aria-hidden />}
          onClick={() => void test("speaker")}
        >
          {t("settings.test_speaker")}
        </Button>
      </Group>
    </Stack>
  );
}

const switches = [
  ["echoCancellation", "echo"],
  ["noiseSuppression", "noise"],
  ["autoGainControl", "gain"],
] as const satisfies readonly [keyof Preferences, string][];

function Processing() {
  const { t } = useTranslation();
  const { preferences } = usePhone();
  const chosen = usePreferences();
  return (
    <Stack gap="sm" role="group" aria-label={t("settings.processing")}>
      <Text size="sm" fw={500}>
        {t("settings.processing")}
      </Text>
      {switches.map(([name, text]) => (
        <Switch
          key={name}
          label={t(`settings.${text}`)}
          description={t(`settings.${text}_hint`)}
          checked={chosen[name]}
          onChange={(event) => preferences.patch({ [name]: event.currentTarget.checked })}
        />
      ))}
    </Stack>
  );
}
