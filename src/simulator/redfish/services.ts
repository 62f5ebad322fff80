import type { JsonObject } from '../personality.ts'
import type { Bmc } from './bmc.ts'
import { link } from './resources.ts'
import type { Session } from './sessions.ts'
import { timestamp } from './tasks.ts'

/** The roles of the Redfish specification, with their privileges. */
export const ROLES = {
  Administrator: ['Login', 'ConfigureManager', 'ConfigureUsers', 'ConfigureSelf', 'ConfigureComponents'],
  Operator: ['Login', 'ConfigureSelf', 'ConfigureComponents'],
  ReadOnly: ['Login', 'ConfigureSelf'],
} as const

/** The SessionService. */
export function sessionService(bmc: Bmc): JsonObject {
  return {
    '@odata.type': '#SessionService.v1_1_8.SessionService',
    '@odata.id': '/redfish/v1/SessionService',
    Id: 'SessionService',
    Name: 'Session Service',
    ServiceEnabled: true,
    SessionTimeout: Math.round(bmc.sessions.timeoutMs / 1000),
    Status: { Health: 'OK', State: 'Enabled' },
    Sessions: link('/redfish/v1/SessionService/Sessions'),
  }
}

/** One Session; the token is in no resource. */
export function sessionResource(session: Session): JsonObject {
  return {
    '@odata.type': '#Session.v1_3_0.Session',
    '@odata.id': `/redfish/v1/SessionService/Sessions/${session.id}`,
    Id: session.id,
    Name: 'User Session',
    UserName: session.userName,
    Password: null,
    CreatedTime: timestamp(session.openedAt),
  }
}

/** The TaskService. */
export function taskService(bmc: Bmc): JsonObject {
  return {
    '@odata.type': '#TaskService.v1_2_0.TaskService',
    '@odata.id': '/redfish/v1/TaskService',
    Id: 'TaskService',
    Name: 'Task Service',
    ServiceEnabled: true,
    DateTime: timestamp(bmc.clock.now()),
    CompletedTaskOverWritePolicy: 'Oldest',
    Status: { Health: 'OK', State: 'Enabled' },
    Tasks: link('/redfish/v1/TaskService/Tasks'),
  }
}

/** The AccountService. */
export function accountService(): JsonObject {
  return {
    '@odata.type': '#AccountService.v1_10_0.AccountService',
    '@odata.id': '/redfish/v1/AccountService',
    Id: 'AccountService',
    Name: 'Account Service',
    ServiceEnabled: true,
    MinPasswordLength: 8,
    MaxPasswordLength: 72,
    AccountLockoutThreshold: 0,
    Status: { Health: 'OK', State: 'Enabled' },
    Accounts: link('/redfish/v1/AccountService/Accounts'),
    Roles: link('/redfish/v1/AccountService/Roles'),
  }
}

/** A Role. */
export function roleResource(id: keyof typeof ROLES): JsonObject {
  return {
    '@odata.type': '#Role.v1_3_0.Role',
    '@odata.id': `/redfish/v1/AccountService/Roles/${id}`,
    Id: id,
    Name: 'User Role',
    RoleId: id,
    IsPredefined: true,
    AssignedPrivileges: [...ROLES[id]],
    OemPrivileges: [],
  }
}

/** The one ManagerAccount. */
export function accountResource(bmc: Bmc): JsonObject {
  return {
    '@odata.type': '#ManagerAccount.v1_8_0.ManagerAccount',
    '@odata.id': '/redfish/v1/AccountService/Accounts/1',
    Id: '1',
    Name: 'User Account',
    UserName: bmc.username,
    Password: null,
    RoleId: 'Administrator',
    Enabled: true,
    Locked: false,
    AccountTypes: ['Redfish'],
    Links: { Role: link('/redfish/v1/AccountService/Roles/Administrator') },
  }
}
