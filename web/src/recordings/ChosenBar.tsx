/** What can be done with the recordings that are chosen. */

import { Button, Group, Paper, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { refusalOf } from "../api/client";
import { library, type RecordingItem } from "../api/library";
import { formatMinutes } from "../i18n/format";
import { IconDownload, IconTrash } from "../ui/icons";
import { Problem } from "../ui/Problem";
import { save } from "../ui/save";
import { deletable, totalMs } from "./query";
import classes from "./Recordings.module.css";

interface BarProps {
  items: readonly RecordingItem[];
  onDelete: () => void;
  onClear: () => void;
}

export function ChosenBar({ items, onDelete, onClear }: BarProps) {
  const { t } = useTranslation();
  const pack = useMutation({
    mutationFn: () => library.pack(items.map(({ id }) => id)),
    onSuccess: (archive) => save(archive, "recordings.zip"),
  });
  const isHeld = deletable(items).length < items.length;
  return (
    <Paper withBorder p="sm" bg="var(--panel)" className={classes.chosen} role="status">
      <Stack gap="xs">
        <Group justify="space-between" gap="sm">
          <Text size="sm" fw={600}>
            {t("library.chosen", {
              count: items.length,
              minutes: formatMinutes(totalMs(items)),
            })}
          </Text>
          <Group gap="xs">
            <Button
              size="xs"
              variant="default"
              leftSection={<IconDownload size={16} aria-hidden />}
              loading={pack.isPending}
              onClick={() => pack.mutate()}
            >
              {t("library.download_zip")}
            </Button>
            <Button
              size="xs"
              color="red"
              leftSection={<IconTrash size={16} aria-hidden />}
              disabled={isHeld}
              onClick={onDelete}
            >
              {t("library.delete")}
            </Button>
            <Button size="xs" variant="subtle" onClick={onClear}>
              {t("library.unchoose")}
            </Button>
          </Group>
        </Group>
        {isHeld && <Text size="sm">{t("library.some_held")}</Text>}
        {pack.error && (
          <Problem title={t("library.zip_failed")} refused={refusalOf(pack.error)} />
        )}
      </Stack>
    </Paper>
  );
}
