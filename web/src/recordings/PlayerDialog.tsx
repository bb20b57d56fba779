/** The pop-up that plays a recording. */

import { Anchor, Group, Modal, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { refusalOf } from "../api/client";
import { library } from "../api/library";
import { formatDay, formatDuration, formatMoment } from "../i18n/format";
import { useMe } from "../phone/context";
import { Problem } from "../ui/Problem";
import { NoteField } from "./NoteField";
import type { Playable } from "./PlayButton";
import Player from "./Player";

interface DialogProps {
  what: Playable;
  onClose: () => void;
}

export default function PlayerDialog({ what, onClose }: DialogProps) {
  const { t } = useTranslation();
  const { timezone } = useMe().account;
  const { data, error } = useQuery({
    queryKey: ["recordings", "one", what.id],
    queryFn: ({ signal }) => library.one(what.id, signal),
  });
  const stops = data?.segments.filter(({ end_reason }) => end_reason === "quota") ?? [];
  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      title={t("player.title", { who: what.who })}
      closeButtonProps={{ "aria-label": t("app.close") }}
    >
      <Stack gap="md">
        {error ? (
          <Problem title={t("player.failed")} refused={refusalOf(error)} />
        ) : (
          <Player id={what.id} durationMs={what.durationMs} autoplay />
        )}
        {data && (
          <>
            <Text size="sm" c="var(--quiet)">
              {[
                formatMoment(data.began_at, timezone),
                data.agent?.name,
                t("library.kept_until", { day: formatDay(data.purge_day) }),
              ]
                .filter(Boolean)
                .join(" · ")}
            </Text>
            {stops.map(({ begins_ms, duration_ms }) => (
              <Text size="sm" key={begins_ms}>
                {t("player.stopped_at", { time: formatDuration(begins_ms + duration_ms) })}
              </Text>
            ))}
            <NoteField item={data} />
          </>
        )}
        <Group>
          <Anchor component={Link} to={`/calls/${what.id}`} size="sm" onClick={onClose}>
            {t("call.open")}
          </Anchor>
        </Group>
      </Stack>
    </Modal>
  );
}
