/** A section of the settings that supervisors read and admins save. */

import { Alert, Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Refused } from "../api/client";
import { Problem } from "../ui/Problem";

interface SettingsFormProps {
  id: string;
  title: string;
  isAdmin: boolean;
  /** What is set. */
  children: ReactNode;
  /** What stands below the button. */
  more?: ReactNode;
  /** What the button says, and what beside it. */
  deed: string;
  status: ReactNode;
  canSave: boolean;
  isBusy: boolean;
  refused: Refused | null;
  onSave: () => void;
}

export function SettingsForm(props: SettingsFormProps) {
  const { t } = useTranslation();
  const { id, isAdmin, refused } = props;
  return (
    <Paper component="section" withBorder p="lg" bg="var(--panel)" aria-labelledby={id}>
      <Stack gap="lg" maw={680}>
        <Title order={2} id={id}>
          {props.title}
        </Title>
        {!isAdmin && <Alert variant="light">{t("record.read_only")}</Alert>}
        <fieldset disabled={!isAdmin} style={{ border: 0, margin: 0, padding: 0 }}>
          <Stack gap="lg">{props.children}</Stack>
        </fieldset>
        {refused && <Problem title={t("record.not_saved")} refused={refused} />}
        {isAdmin && (
          <Group gap="md">
            <Button onClick={props.onSave} disabled={!props.canSave} loading={props.isBusy}>
              {props.deed}
            </Button>
            <Text size="sm" c="var(--quiet)" role="status">
              {props.status}
            </Text>
          </Group>
        )}
        {props.more}
      </Stack>
    </Paper>
  );
}
