/* What this project speaks of Apache IoTDB's client RPC, 0.13 to 2.0: written from the
 * table of fields in iotdb-formats, section 7.2. Fields that we do not use are left out
 * (a reader passes over what it does not know), and so is every `required`: what is
 * missing is checked where it is used.
 *
 * The service's name is not on the wire. */

struct WireEndPoint {
	1: string ip
	2: i32 port
}

struct WireStatus {
	1: i32 code
	2: optional string message
	3: optional list<WireStatus> subStatus
	5: optional bool needRetry
}

struct WireOpenReq {
	1: i32 client_protocol
	2: string zoneId
	3: string username
	4: string password
	5: map<string, string> configuration
}

struct WireOpenResp {
	1: WireStatus status
	2: i32 serverProtocolVersion
	3: optional i64 sessionId
}

struct WireCloseReq {
	1: i64 sessionId
}

struct WireExecuteReq {
	1: i64 sessionId
	2: string statement
	3: i64 statementId
	4: i32 fetchSize
	5: i64 timeout
	6: bool enableRedirectQuery
}

struct WireDataSet {
	1: binary time
	2: list<binary> valueList
	3: list<binary> bitmapList
}

struct WireExecuteResp {
	1: WireStatus status
	2: optional i64 queryId
	3: optional list<string> columns
	5: optional bool ignoreTimeStamp
	6: optional list<string> dataTypeList
	7: optional WireDataSet queryDataSet
	9: optional map<string, i32> columnNameIndexMap
	14: optional bool moreData
}

struct WireFetchReq {
	1: i64 sessionId
	2: string statement
	3: i32 fetchSize
	4: i64 queryId
	5: bool isAlign
	6: i64 timeout
}

struct WireFetchResp {
	1: WireStatus status
	2: bool hasResultSet
	3: bool isAlign
	4: optional WireDataSet queryDataSet
	7: optional bool moreData
}

struct WireCloseOperationReq {
	1: i64 sessionId
	2: i64 queryId
	3: i64 statementId
}

struct WireProperties {
	1: string version
	3: string timestampPrecision
	6: bool isReadOnly # 1.2 on; before it was of another type
}

struct WirePipeReq {
	1: i8 version
	2: i16 type
	3: binary body
}

struct WirePipeResp {
	1: WireStatus status
	2: optional binary body
}

service WireClient {
	WireProperties getProperties()
	WireOpenResp openSession(1: WireOpenReq req)
	WireStatus closeSession(1: WireCloseReq req)
	i64 requestStatementId(1: i64 sessionId)
	WireExecuteResp executeStatement(1: WireExecuteReq req)
	WireFetchResp fetchResults(1: WireFetchReq req)
	WireStatus closeOperation(1: WireCloseOperationReq req)
	/* No field id at IoTDB: the compiler gives -1, which is what is on the wire. */
	WirePipeResp pipeTransfer(WirePipeReq req)
}
