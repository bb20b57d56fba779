/** What was said in a call, where WhatsApp wrote it down: who, when, the words. */

import { Paper, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api, refusalOf } from "../api/client";
import type { Transcript } from "../api/types";
import { formatDuration } from "../i18n/format";
import { Problem } from "../ui/Problem";
import classes from "./TranscriptPanel.module.css";

export function TranscriptPanel({ callId }: { callId: string }) {
  const { t } = useTranslation();
  const { data, error } = useQuery({
    queryKey: ["transcript", callId],
    queryFn: ({ signal }) => api.transcript(callId, signal),
  });
  return (
    <Paper component="section" withBorder p="lg" bg="var(--panel)" aria-labelledby="transcript">
      <Stack gap="md">
        <Title order={2} id="transcript">
          {t("transcript.title")}
        </Title>
        {!data && !error && <Skeleton h={120} />}
        {error && <Problem title={t("transcript.failed")} refused={refusalOf(error)} />}
        {data && <Passages transcript={data} />}
      </Stack>
    </Paper>
  );
}

const known = ["business", "customer"] as const;

function Passages({ transcript }: { transcript: Transcript }) {
  const { t } = useTranslation();
  const { language, passages } = transcript;
  if (passages.length === 0) return <Text size="sm">{t("transcript.empty")}</Text>;
  return (
    <ol className={classes.passages} {...(language !== null && { lang: language })}>
      {passages.map((passage, index) => {
        const speaker = known.find((each) => each === passage.speaker);
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: never reordered; two may be alike
          <li key={index} data-speaker={passage.speaker}>
            <time>{formatDuration(passage.begin_ms)}</time>
            <strong>{speaker ? t(`transcript.${speaker}`) : passage.speaker}</strong>
            <span>{passage.text}</span>
          </li>
        );
      })}
    </ol>
  );
}
