/** Asks before a customer is forgotten for good: what goes, and what stays. */

import { List, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { refusalOf } from "../api/client";
import { FinalDialog } from "../ui/FinalDialog";
import { Problem } from "../ui/Problem";
import {
  type Customer,
  type CustomerErased,
  type CustomerFound,
  customers,
  nameToType,
} from "./client";

interface DialogProps {
  customer: Customer;
  found: CustomerFound;
  onClose: () => void;
  onErased: (done: CustomerErased) => void;
}

export function EraseDialog({ customer, found, onClose, onErased }: DialogProps) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [typed, setTyped] = useState("");
  const erase = useMutation({
    mutationFn: () => customers.erase(customer),
    onSuccess: onErased,
    // Also what broke off may have forgotten a part.
    onSettled: () => queries.invalidateQueries(),
  });
  const name = nameToType(customer);
  return (
    <FinalDialog
      title={t("customers.erase_title")}
      keep={t("customers.keep")}
      deed={t("customers.confirm")}
      isMeant={typed.trim().replace(/^\+/, "") === name}
      isBusy={erase.isPending}
      isLocked={erase.isPending}
      onConfirm={() => erase.mutate()}
      onClose={onClose}
    >
      <List size="sm" spacing="xs">
        <List.Item>
          {t("customers.goes_recordings", { count: found.recordings - found.held })}
        </List.Item>
        <List.Item>{t("customers.goes_words")}</List.Item>
        <List.Item>{t("customers.goes_names")}</List.Item>
        {found.held > 0 && <List.Item>{t("customers.held", { count: found.held })}</List.Item>}
        {found.not_over > 0 && (
          <List.Item>{t("customers.not_over", { count: found.not_over })}</List.Item>
        )}
      </List>
      <Text fw={650}>{t("customers.final")}</Text>
      <TextInput
        label={t("customers.type", { name })}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
        autoComplete="off"
      />
      {erase.error && (
        <Problem title={t("customers.erase_failed")} refused={refusalOf(erase.error)} />
      )}
    </FinalDialog>
  );
}
