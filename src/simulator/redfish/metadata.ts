/** The types that our resources have, each with the version in the schema's file name. */
const SCHEMAS = [
  'ServiceRoot',
  'ComputerSystem',
  'ComputerSystemCollection',
  'Chassis',
  'ChassisCollection',
  'Manager',
  'ManagerCollection',
  'Power',
  'Session',
  'SessionCollection',
  'SessionService',
  'Task',
  'TaskCollection',
  'TaskService',
  'ActionInfo',
  'AccountService',
  'ManagerAccount',
  'ManagerAccountCollection',
  'Role',
  'RoleCollection',
]

const references = SCHEMAS.map(
  name => `  <edmx:Reference Uri="http://redfish.dmtf.org/schemas/v1/${name}_v1.xml"><edmx:Include Namespace="${name}"/></edmx:Reference>`,
).join('\n')

/** The OData metadata document: which schemas the resources follow. */
export const METADATA = `<?xml version="1.0" encoding="UTF-8"?>
<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0">
${references}
  <edmx:DataServices>
    <Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="Service">
      <EntityContainer Name="Service" Extends="ServiceRoot.v1_13_0.ServiceContainer"/>
    </Schema>
  </edmx:DataServices>
</edmx:Edmx>
`
