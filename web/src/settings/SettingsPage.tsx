/** What a person can set for this browser. */

import { Button, Grid, Paper, Stack, Switch, Text, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { usePhone, usePreferences } from "../phone/context";
import { LanguageChoice, ThemeChoice } from "../ui/Choices";
import { AudioSettings } from "./AudioSettings";

export default function SettingsPage() {
  const { t } = useTranslation();
  return (
    <Stack gap="md">
      <Title order={1}>{t("settings.title")}</Title>
      <Grid gap="md">
        <Grid.Col span={{ base: 12, md: 7 }}>
          <AudioSettings />
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 5 }}>
          <DeskSettings />
        </Grid.Col>
      </Grid>
    </Stack>
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
