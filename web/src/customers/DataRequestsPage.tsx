/** A customer asks for a copy of everything, or to be forgotten. For admins. */

import { Button, Group, Paper, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { refusalOf } from "../api/client";
import { Problem } from "../ui/Problem";
import { type Customer, type CustomerErased, customerOf, customers } from "./client";
import { Erased } from "./Erased";
import { FoundCustomer } from "./FoundCustomer";

export default function DataRequestsPage() {
  const { t } = useTranslation();
  const [phone, setPhone] = useState("");
  const [userId, setUserId] = useState("");
  const [erased, setErased] = useState<CustomerErased | null>(null);
  const find = useMutation({ mutationFn: customers.find });
  const named = customerOf(phone, userId);
  const isTyped = phone.trim() !== "" || userId.trim() !== "";
  const change = (set: (typed: string) => void, typed: string): void => {
    set(typed);
    // What was found belongs to what was typed then.
    find.reset();
    setErased(null);
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setErased(null);
    if (typeof named !== "string") find.mutate(named);
  };
  const afterErasing = (done: CustomerErased, customer: Customer): void => {
    setErased(done);
    find.mutate(customer);
  };
  return (
    <Stack gap="md">
      <Title order={1}>{t("customers.title")}</Title>
      <Paper component="section" withBorder p="lg" bg="var(--panel)">
        <form onSubmit={submit}>
          <Stack gap="md" maw={680}>
            <Text size="sm">{t("customers.lead")}</Text>
            <Group gap="md" grow preventGrowOverflow={false} align="start">
              <TextInput
                label={t("customers.phone")}
                placeholder="+62 812 3456 7890"
                value={phone}
                error={named === "phone" && t("customers.phone_fault")}
                onChange={(event) => change(setPhone, event.currentTarget.value)}
                inputMode="tel"
                autoComplete="off"
              />
              <TextInput
                label={t("customers.user_id")}
                placeholder="ID.1234567890"
                value={userId}
                error={named === "user_id" && t("customers.user_id_fault")}
                onChange={(event) => change(setUserId, event.currentTarget.value)}
                autoComplete="off"
              />
            </Group>
            <Group>
              <Button
                type="submit"
                loading={find.isPending && erased === null}
                disabled={!isTyped || typeof named === "string"}
              >
                {t("customers.find")}
              </Button>
            </Group>
          </Stack>
        </form>
      </Paper>
      {find.error && (
        <Problem title={t("customers.find_failed")} refused={refusalOf(find.error)} />
      )}
      {erased !== null && <Erased done={erased} />}
      {find.data && find.variables && (
        <FoundCustomer
          key={`${find.variables.phone} ${find.variables.user_id}`}
          customer={find.variables}
          found={find.data}
          onErased={(done) => afterErasing(done, find.variables)}
        />
      )}
    </Stack>
  );
}
