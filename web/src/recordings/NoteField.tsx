/** What people write beside a recording. */

import { Button, Group, Stack, Textarea } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { refusalOf } from "../api/client";
import { library, type RecordingItem } from "../api/library";
import { Problem } from "../ui/Problem";

const CHARS_MAX = 500;

export function NoteField({ item }: { item: RecordingItem }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [note, setNote] = useState(item.note ?? "");
  const save = useMutation({
    mutationFn: () => library.note(item.id, note, item.version),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["recordings"] }),
  });
  const isChanged = note.trim() !== (item.note ?? "");
  return (
    <Stack gap="xs">
      <Textarea
        label={t("library.note")}
        value={note}
        onChange={(event) => setNote(event.currentTarget.value)}
        maxLength={CHARS_MAX}
        autosize
        minRows={1}
        maxRows={6}
      />
      {save.error && (
        <Problem title={t("library.note_failed")} refused={refusalOf(save.error)} />
      )}
      {isChanged && (
        <Group>
          <Button size="xs" loading={save.isPending} onClick={() => save.mutate()}>
            {t("library.note_save")}
          </Button>
        </Group>
      )}
    </Stack>
  );
}
