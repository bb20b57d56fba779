/** Who is signed in, and the way out. */

import { Avatar, Menu, Text, UnstyledButton } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { ownCall } from "../phone/calls";
import { useLine, useMe, usePhone } from "../phone/context";
import { IconDevices, IconKey, IconKeyboard, IconLogout, IconUser } from "../ui/icons";
import { initialsOf } from "../ui/names";

export default function UserMenu({ onShortcuts }: { onShortcuts: () => void }) {
  const { t } = useTranslation();
  const phone = usePhone();
  const { user, account } = useMe();
  const { version } = useMe();
  const isInCall = ownCall(useLine()) !== null;
  return (
    <Menu position="bottom-end" width={260}>
      <Menu.Target>
        <UnstyledButton aria-label={t("user.menu", { name: user.name })}>
          <Avatar color="brand" variant="filled" radius="xl" size={36} aria-hidden>
            {initialsOf({ name: user.name })}
          </Avatar>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <Text size="sm" fw={600} c="var(--mantine-color-text)">
            {user.name}
          </Text>
          <Text size="xs" c="var(--quiet)">
            {user.email} · {t(`user.role.${user.role}`)}
          </Text>
          <Text size="xs" c="var(--quiet)">
            {account.name} · {t("user.version", { version })}
          </Text>
        </Menu.Label>
        <Menu.Divider />
        <Menu.Item leftSection={<IconKeyboard size={18} aria-hidden />} onClick={onShortcuts}>
          {t("user.shortcuts")}
        </Menu.Item>
        {user.role === "admin" && (
          <>
            <Menu.Item
              component={Link}
              to="/access"
              leftSection={<IconKey size={18} aria-hidden />}
            >
              {t("user.access")}
            </Menu.Item>
            <Menu.Item
              component={Link}
              to="/data-requests"
              leftSection={<IconUser size={18} aria-hidden />}
            >
              {t("user.data_requests")}
            </Menu.Item>
          </>
        )}
        <Menu.Item
          component={Link}
          to="/sessions"
          leftSection={<IconDevices size={18} aria-hidden />}
        >
          {t("user.sessions")}
        </Menu.Item>
        <Menu.Item
          leftSection={<IconLogout size={18} aria-hidden />}
          disabled={isInCall}
          onClick={() => void phone.signOut()}
        >
          {isInCall ? t("user.sign_out_in_call") : t("user.sign_out")}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
