/** Asks why a recording is to be held; nothing deletes it then. */

import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { refusalOf } from "../api/client";
import { library, type RecordingItem } from "../api/library";
import { Problem } from "../ui/Problem";

interface DialogProps {
  item: RecordingItem;
  onClose: () => void;
}

export function HoldDialog({ item, onClose }: DialogProps) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [why, setWhy] = useState("");
  const change = useMutation({
    mutationFn: () =>
      item.hold === null ? library.hold(item.id, why) : library.release(item.id),
    onSuccess: async () => {
      onClose();
      await queries.invalidateQueries({ queryKey: ["recordings"] });
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    change.mutate();
  };
  return (
    <Modal
      opened
      onClose={onClose}
      title={item.hold === null ? t("hold.title") : t("hold.release_title")}
      closeButtonProps={{ "aria-label": t("app.close") }}
    >
      <form onSubmit={submit}>
        <Stack gap="md">
          {item.hold === null ? (
            <>
              <Text size="sm">{t("hold.text")}</Text>
              <TextInput
                label={t("hold.why")}
                value={why}
                onChange={(event) => setWhy(event.currentTarget.value)}
                maxLength={400}
                required
                data-autofocus
              />
            </>
          ) : (
            <Text size="sm">{t("hold.release_text", { why: item.hold.why })}</Text>
          )}
          {change.error && (
            <Problem title={t("hold.failed")} refused={refusalOf(change.error)} />
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t("hold.cancel")}
            </Button>
            <Button
              type="submit"
              loading={change.isPending}
              disabled={item.hold === null && why.trim() === ""}
            >
              {item.hold === null ? t("hold.confirm") : t("hold.release")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
