/** The account's own announcement: upload it, hear it as calls do, take it away. */

import { Button, FileButton, Group, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api, Refused, refusalOf } from "../api/client";
import type { CallSettings } from "../api/types";
import { formatDuration, formatMoment } from "../i18n/format";
import { useMe } from "../phone/context";
import { Problem } from "../ui/Problem";

const SETTINGS = ["settings", "calls"];
const MEGABYTE = 1024 * 1024;

interface AnnouncementProps {
  settings: CallSettings;
  isAdmin: boolean;
}

export function AnnouncementSettings({ settings, isAdmin }: AnnouncementProps) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const { timezone } = useMe().account;
  const { announcement, announcement_bytes_max: bytesMax } = settings;
  const refresh = (): Promise<void> => queries.invalidateQueries({ queryKey: SETTINGS });
  const upload = useMutation({
    mutationFn: (file: File) => {
      if (file.size > bytesMax) throw new Refused(0, { code: "announcement_too_large" });
      return api.uploadAnnouncement(file);
    },
    onSuccess: refresh,
  });
  const remove = useMutation({ mutationFn: api.removeAnnouncement, onSuccess: refresh });
  const fault = upload.error ?? remove.error;
  const limits = {
    seconds: Math.round(settings.announcement_max_s),
    megabytes: Math.floor(bytesMax / MEGABYTE),
  };
  const forget = (): void => {
    upload.reset();
    remove.reset();
  };
  return (
    <Stack gap="sm" role="group" aria-label={t("record.announcement")}>
      <Text size="sm" fw={500}>
        {t("record.announcement")}
      </Text>
      {announcement === null ? (
        <Text size="sm">{t("record.announcement_none")}</Text>
      ) : (
        <>
          <Text size="sm" data-testid="announcement">
            {t("record.announcement_since", {
              time: formatDuration(announcement.duration_ms),
              day: formatMoment(announcement.uploaded_at, timezone),
            })}
          </Text>
          {/* biome-ignore lint/a11y/useMediaCaption: what is said was recorded by its own admin */}
          <audio
            key={announcement.id}
            controls
            preload="none"
            src={api.announcementSound}
            aria-label={t("record.announcement_play")}
          />
        </>
      )}
      {isAdmin && (
        <Group gap="sm">
          <FileButton
            accept="audio/*,video/mp4,.m4a,.ogg,.opus"
            onChange={(file) => {
              forget();
              if (file) upload.mutate(file);
            }}
          >
            {(props) => (
              <Button variant="default" loading={upload.isPending} {...props}>
                {t(announcement === null ? "record.upload" : "record.upload_other")}
              </Button>
            )}
          </FileButton>
          {announcement !== null && (
            <Button
              variant="subtle"
              color="red"
              loading={remove.isPending}
              onClick={() => {
                forget();
                remove.mutate();
              }}
            >
              {t("record.remove")}
            </Button>
          )}
        </Group>
      )}
      <Text size="xs" c="var(--quiet)">
        {t("record.announcement_hint", limits)}
      </Text>
      {fault && (
        <Problem
          title={t("record.announcement_failed")}
          refused={refusalOf(fault)}
          onDismiss={forget}
        />
      )}
    </Stack>
  );
}
