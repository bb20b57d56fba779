/** Who is on the other side: everything WhatsApp told us, and the number that was called. */

import { Avatar, Group, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { CallView, Peer } from "../../api/types";
import { IconUser } from "../../ui/icons";
import { initialsOf, nameOf } from "../../ui/names";
import { formatPhone } from "../address";
import classes from "./PersonCard.module.css";

export function PersonHead({ peer, detail }: { peer: Peer; detail?: string }) {
  const { t } = useTranslation();
  return (
    <Group wrap="nowrap" gap="md">
      <PersonAvatar peer={peer} size={56} />
      <div className={classes.head}>
        <Title order={2} className={classes.name}>
          {nameOf(peer, t)}
        </Title>
        {detail && (
          <Text size="sm" c="var(--quiet)">
            {detail}
          </Text>
        )}
      </div>
    </Group>
  );
}

export function PersonAvatar({ peer, size }: { peer: Peer; size: number }) {
  const initials = initialsOf(peer);
  return (
    <Avatar color="brand" variant="light" size={size} radius="xl" aria-hidden>
      {initials || <IconUser size={size / 2} />}
    </Avatar>
  );
}

export function PersonFacts({ call }: { call: CallView }) {
  const { t } = useTranslation();
  const { peer } = call;
  const isInbound = call.direction === "inbound";
  const facts: [string, string | null | undefined][] = [
    [t("person.phone"), peer.phone ? formatPhone(peer.phone) : null],
    [t("person.username"), peer.username ? `@${peer.username}` : null],
    [t("person.user_id"), peer.user_id],
    [isInbound ? t("person.called") : t("person.calling_from"), call.number.display],
  ];
  return (
    <dl className={classes.facts} aria-label={t("person.details")}>
      {facts.map(
        ([label, value]) =>
          value && (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}
