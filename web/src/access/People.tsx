/** The account's people, and signing one of them out everywhere. */

import { Badge, Button, Paper, Skeleton, Text, Title } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { refusalOf } from "../api/client";
import table from "../calls/CallTable.module.css";
import { Problem } from "../ui/Problem";
import { Confirm } from "./Confirm";
import { access, type Person } from "./client";

export function People() {
  const { t } = useTranslation();
  const [going, setGoing] = useState<Person | null>(null);
  const list = useQuery({
    queryKey: ["users"],
    queryFn: ({ signal }) => access.people(signal),
  });
  return (
    <Paper component="section" withBorder bg="var(--panel)" aria-labelledby="people">
      <Title order={2} id="people" p="lg" pb="xs">
        {t("access.people")}
      </Title>
      <Text size="sm" c="var(--quiet)" px="lg" pb="md">
        {t("access.people_hint")}
      </Text>
      {list.error && <Problem title={t("access.failed")} refused={refusalOf(list.error)} />}
      {list.isPending && <Skeleton h={120} m="lg" />}
      {list.data && (
        <table className={table.table} aria-labelledby="people">
          <thead>
            <tr>
              <th scope="col">{t("access.name")}</th>
              <th scope="col">{t("access.role")}</th>
              <th scope="col">{t("access.state")}</th>
              <th scope="col">
                <span className={table.quiet}>{t("access.actions")}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {list.data.items.map((person) => (
              <tr key={person.id}>
                <td data-label={t("access.name")}>
                  <div>
                    {person.name}
                    <span className={table.quiet}>{person.email}</span>
                  </div>
                </td>
                <td data-label={t("access.role")}>{t(`user.role.${person.role}`)}</td>
                <td data-label={t("access.state")}>
                  <Badge color={person.disabled ? "gray" : "green"} variant="dot">
                    {t(person.disabled ? "access.disabled" : "access.enabled")}
                  </Badge>
                </td>
                <td>
                  <Button
                    size="compact-sm"
                    variant="default"
                    aria-label={t("access.sign_out_named", { name: person.name })}
                    onClick={() => setGoing(person)}
                  >
                    {t("access.sign_out")}
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {going && <SignOut person={going} onClose={() => setGoing(null)} />}
    </Paper>
  );
}

function SignOut({ person, onClose }: { person: Person; onClose: () => void }) {
  const { t } = useTranslation();
  const signOut = useMutation({
    mutationFn: () => access.signOut(person.id),
    onSuccess: onClose,
  });
  return (
    <Confirm
      title={t("access.sign_out_named", { name: person.name })}
      deed={t("access.sign_out")}
      isBusy={signOut.isPending}
      refused={signOut.error && refusalOf(signOut.error)}
      onConfirm={() => signOut.mutate()}
      onClose={onClose}
    >
      {t("access.sign_out_text")}
    </Confirm>
  );
}
