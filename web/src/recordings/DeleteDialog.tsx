/** Asks before recordings are deleted for good, and says what returns. */

import { Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { refusalOf } from "../api/client";
import { type Deleted, library, type RecordingItem } from "../api/library";
import { formatMinutes } from "../i18n/format";
import { FinalDialog } from "../ui/FinalDialog";
import { Problem } from "../ui/Problem";
import { totalMs } from "./query";

/** Above this the number has to be typed. */
const MANY = 10;

interface DialogProps {
  items: readonly RecordingItem[];
  onClose: () => void;
  onDone: (deleted: Deleted) => void;
}

export function DeleteDialog({ items, onClose, onDone }: DialogProps) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [typed, setTyped] = useState("");
  const remove = useMutation({
    mutationFn: () => library.delete(items.map(({ id }) => id)),
    onSuccess: async (deleted) => {
      onDone(deleted);
      await Promise.all(
        ["recordings", "calls", "quota", "usage", "ledger"].map((key) =>
          queries.invalidateQueries({ queryKey: [key] }),
        ),
      );
    },
  });
  const count = items.length;
  const isMeant = count <= MANY || typed.trim() === String(count);
  return (
    <FinalDialog
      title={t("delete.title", { count })}
      keep={t("delete.keep")}
      deed={t("delete.confirm")}
      isMeant={isMeant}
      isBusy={remove.isPending}
      onConfirm={() => remove.mutate()}
      onClose={onClose}
    >
      <Text>{t("delete.returns", { minutes: formatMinutes(totalMs(items)) })}</Text>
      <Text fw={650}>{t("delete.final")}</Text>
      {count > MANY && (
        <TextInput
          label={t("delete.type", { count })}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          inputMode="numeric"
        />
      )}
      {remove.error && <Problem title={t("delete.failed")} refused={refusalOf(remove.error)} />}
    </FinalDialog>
  );
}
