#include "mend.h"

#include <thrift/c_glib/protocol/thrift_binary_protocol.h>
#include <thrift/c_glib/thrift_configuration.h>
#include <thrift/c_glib/transport/thrift_memory_buffer.h>

#include "wire_client.h"

#define OWN_END "tsferry-own-finalize"

/* A function in the place of a pointer, which is what a type carries. */
union own_end {
	void (*fn)(GObject *object);
	gpointer p;
};

static void end_wholly(GObject *object)
{
	const union own_end own = {
		.p = g_type_get_qdata(G_OBJECT_TYPE(object),
				      g_quark_from_static_string(OWN_END))};
	const GObjectClass *base = g_type_class_peek_static(G_TYPE_OBJECT);

	if (own.p)
		own.fn(object);
	/* Where theirs did chain up, there is nothing left for it to free. */
	base->finalize(object);
}

static void mend(GType type)
{
	/* Never given back: a class that was unloaded would be as it was. */
	GObjectClass *c = g_type_class_ref(type);
	union own_end own;

	if (c->finalize == end_wholly)
		return;
	own.fn = c->finalize;
	g_type_set_qdata(type, g_quark_from_static_string(OWN_END), own.p);
	c->finalize = end_wholly;
}

void mend_types(void)
{
	const GType types[] = {
		THRIFT_TYPE_MEMORY_BUFFER,
		THRIFT_TYPE_BINARY_PROTOCOL,
		THRIFT_TYPE_CONFIGURATION,
		TYPE_WIRE_CLIENT_CLIENT,
		TYPE_WIRE_END_POINT,
		TYPE_WIRE_STATUS,
		TYPE_WIRE_OPEN_REQ,
		TYPE_WIRE_OPEN_RESP,
		TYPE_WIRE_CLOSE_REQ,
		TYPE_WIRE_EXECUTE_REQ,
		TYPE_WIRE_DATA_SET,
		TYPE_WIRE_EXECUTE_RESP,
		TYPE_WIRE_FETCH_REQ,
		TYPE_WIRE_FETCH_RESP,
		TYPE_WIRE_CLOSE_OPERATION_REQ,
		TYPE_WIRE_PROPERTIES,
		TYPE_WIRE_PIPE_REQ,
		TYPE_WIRE_PIPE_RESP,
	};

	for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
		mend(types[i]);
}
