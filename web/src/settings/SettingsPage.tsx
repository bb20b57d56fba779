/** What a person can set for this browser and, as supervisor or admin, see of the account. */

import { Button, Grid, Paper, Stack, Switch, Tabs, Text, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useMe, usePhone, usePreferences } from "../phone/context";
import { LanguageChoice, ThemeChoice } from "../ui/Choices";
import { AudioSettings } from "./AudioSettings";
import { KeepingSettings } from "./KeepingSettings";
import { RecordingSettings } from "./RecordingSettings";

export default function SettingsPage() {
  const { t } = useTranslation();
  const isLead = useMe().user.role !== "agent";
  return (
    <Stack gap="md">
      <Title order={1}>{t("settings.title")}</Title>
      {isLead ? (
        <Tabs defaultValue="browser" keepMounted={false}>
          <Tabs.List mb="md">
            <Tabs.Tab value="browser">{t("settings.browser")}</Tabs.Tab>
            <Tabs.Tab value="recording">{t("settings.recording")}</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="browser">
            <BrowserSettings />
          </Tabs.Panel>
          <Tabs.Panel value="recording">
            <Stack gap="md">
              <RecordingSettings />
              <KeepingSettings />
            </Stack>
          </Tabs.Panel>
        </Tabs>
      ) : (
        <BrowserSettings />
      )}
    </Stack>
  );
}

function BrowserSettings() {
  return (
    <Grid gap="md">
      <Grid.Col span={{ base: 12, md: 7 }}>
        <AudioSettings />
      </Grid.Col>
      <Grid.Col span={{ base: 12, md: 5 }}>
        <DeskSettings />
      </Grid.Col>
    </Grid>
  );
}

function DeskSettings() {
  const { t } = useTranslation();
  const { preferences } = usePhone();
  const { shortcuts } = usePreferences();
  return (
    <Paper component="section" withBorder p="lg" bg="var(--panel)">
      <Stack gap="lg">
        <Title order={2}>{t("settings.desk")}</Title>
        <LanguageChoice />
        <Stack gap={4}>
          <Text size="sm" fw={500}>
            {t("theme.label")}
          </Text>
          <ThemeChoice />
        </Stack>
        <Switch
          label={t("settings.shortcuts")}
          description={t("settings.shortcuts_hint")}
          checked={shortcuts}
          onChange={(event) => preferences.patch({ shortcuts: event.currentTarget.checked })}
        />
        <NotificationSetting />
      </Stack>
    </Paper>
  );
}

function NotificationSetting() {
  const { t } = useTranslation();
  const [permission, setPermission] = useState(
    "Notification" in window ? Notification.permission : "denied",
  );
  const ask = async (): Promise<void> => setPermission(await Notification.requestPermission());
  return (
    <Stack gap={4} align="flex-start">
      <Text size="sm" fw={500}>
        {t("settings.notifications")}
      </Text>
      {permission === "default" ? (
        <AskButton onClick={() => void ask()} />
      ) : (
        <Text size="sm" c="var(--quiet)">
          {t(`settings.notifications_${permission}`)}
        </Text>
      )}
    </Stack>
  );
}

function AskButton({ onClick }: { onClick: () => void }) {
  const { t } = useTranslation();
  return (
    <Button variant="default" size="xs" onClick={onClick}>
      {t("settings.notifications_ask")}
    </Button>
  );
}
